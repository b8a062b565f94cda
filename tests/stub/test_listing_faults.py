"""Lists as real servers get them wrong, switched on: pages that overlap and miss, and a replica that lags."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server_stub.api.access import Access
from server_stub.api.application import Api, application
from server_stub.api.listing_faults import Faultless, as_of, turn
from server_stub.identity.accounts import SENDER, Account
from server_stub.identity.identity_file import api_payload
from server_stub.identity.people import People
from server_stub.identity.tokens import Keyring
from server_stub.queue.entry import compose
from server_stub.queue.fill import fill
from server_stub.queue.store import Store
from server_stub.timestamps import NANOS
from tests.support.stub import Stub
from tests.support.stub_in_process import StubInProcess

LIST = "/scim/v1/Message"
COUNT, PAGE = 1_000, 100


@pytest.fixture
def misbehaving(tmp_path: Path) -> Iterator[Callable[[str], Stub]]:
    """Give a function that starts a stub whose queue has faults."""
    started = []

    def start(queue: str) -> Stub:
        (tmp_path / "misbehave.toml").write_text(f"[queue]\n{queue}\n")
        started.append(StubInProcess(tmp_path / "stub", misbehave=tmp_path / "misbehave.toml").start())
        return started[0]

    yield start
    for stub in started:
        stub.stop()


def sweep(stub: Stub) -> list[str]:
    """Return the ids of all pages, one after the other."""
    starts = range(1, COUNT + 1, PAGE)
    pages = [stub.request("GET", f"{LIST}?count={PAGE}&startIndex={start}").json() for start in starts]
    assert {(page["totalResults"], len(page["resources"])) for page in pages} == {(COUNT, PAGE)}
    return [one["id"] for page in pages for one in page["resources"]]


def test_pages_overlap_and_miss_until_they_are_swept_again(misbehaving: Callable[[str], Stub]) -> None:
    """One sweep is as long as the queue and has about a tenth twice and a tenth not at all; a few have everything."""
    stub = misbehaving("overlapping_pages = true")
    store = Store.open(stub.dir / "queue.sqlite", create=False)
    fill(store, COUNT, time.time_ns())
    store.close()
    seen = set(sweep(stub))
    assert COUNT * 0.8 < len(seen) < COUNT * 0.97
    sweeps = 1
    while len(seen) < COUNT and sweeps < 10:
        seen |= set(sweep(stub))
        sweeps += 1
    assert len(seen) == COUNT
    assert len(stub.messages()) == COUNT


def test_what_is_marked_is_listed_by_a_replica_that_lags(misbehaving: Callable[[str], Stub]) -> None:
    """Lists show the queue of ten minutes ago, when nothing was queued; a message by its id is the one of now."""
    stub = misbehaving("lagging_seconds = 600")
    (key,) = stub.queue([{"message_template": {}, "mail_destination": []}])
    assert (stub.messages(), ready(stub)) == ([], [])
    assert stub.request("POST", f"{LIST}/{key}/_sent").status_code == 200
    assert "sent_at" in stub.request("GET", f"{LIST}/{key}").json()


async def test_a_marked_message_is_still_ready_for_a_while(tmp_path: Path) -> None:
    """What was there before the lag began is listed as unsent after it was marked, and then no longer."""
    now = [time.time_ns()]
    keyring, account = (
        Keyring(b"key", ec.generate_private_key(ec.SECP256R1())),
        Account(SENDER, str(uuid.uuid4()), ""),
    )
    token = keyring.sign_for_service(api_payload(account.uuid, "sender", "readwrite", 0))
    store = Store.open(tmp_path / "queue.sqlite", create=True, clock=lambda: now[0])
    faults, access = Faultless(lagging_seconds=3), Access(keyring, {account.uuid: account})
    app = application(Api(store, People(), access, faults, clock=lambda: now[0]))
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://stub", headers=headers
    ) as client:

        async def listed(path: str = "") -> list[tuple[str, object]]:
            found = (await client.get(f"{LIST}{path}")).json()["resources"]
            return [(one["id"], one.get("sent_at")) for one in found]

        (key,) = store.add([compose({}, "ellie@example.com", now[0])])
        assert await listed("/_ready") == []
        now[0] += 4 * NANOS
        assert await listed("/_ready") == [(key, None)]
        assert (await client.post(f"{LIST}/{key}/_sent")).status_code == 200
        now[0] += 2 * NANOS
        assert await listed("/_ready") == await listed() == [(key, None)]
        now[0] += 2 * NANOS
        assert await listed("/_ready") == []
        assert (await listed())[0][1] is not None
    store.close()


def ready(stub: Stub) -> list[str]:
    return [one["id"] for one in stub.request("GET", f"{LIST}/_ready").json()["resources"]]


def test_without_faults_nothing_is_turned_or_late() -> None:
    """Neither is on unless asked for, and the turns go through a hundred values up to half a page."""
    assert (Faultless().overlapping_pages, as_of(Faultless(), 5)) == (False, None)
    assert as_of(Faultless(lagging_seconds=0.5), 10**9) == 10**9 // 2
    turns = [turn(200, request) for request in range(100)]
    assert sorted(turns) == list(range(100))
    assert turn(1, 99) == 0
