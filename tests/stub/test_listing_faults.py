"""Lists as real servers get them wrong, switched on: pages that overlap and miss, and a replica that lags."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server_stub.api.listing_faults import Faultless, as_of, turn
from server_stub.queue.fill import fill
from server_stub.queue.store import Store
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


def test_a_marked_message_is_still_ready_for_a_while(misbehaving: Callable[[str], Stub]) -> None:
    """What was there before the lag began is listed as unsent after it was marked, and then no longer."""
    stub = misbehaving("lagging_seconds = 3")
    (key,) = stub.queue([{"message_template": {}, "mail_destination": []}])
    wait_until(lambda: ready(stub) == [key])
    assert stub.request("POST", f"{LIST}/{key}/_sent").status_code == 200
    assert ready(stub) == [key]
    assert [one.get("sent_at") for one in stub.messages()] == [None]
    wait_until(lambda: ready(stub) == [])
    assert "sent_at" in stub.messages()[0]


def ready(stub: Stub) -> list[str]:
    return [one["id"] for one in stub.request("GET", f"{LIST}/_ready").json()["resources"]]


def wait_until(condition: Callable[[], bool]) -> None:
    """Ask again and again, each time by a request, until it is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline


def test_without_faults_nothing_is_turned_or_late() -> None:
    """Neither is on unless asked for, and the turns go through a hundred values up to half a page."""
    assert (Faultless().overlapping_pages, as_of(Faultless(), 5)) == (False, None)
    assert as_of(Faultless(lagging_seconds=0.5), 10**9) == 10**9 // 2
    turns = [turn(200, request) for request in range(100)]
    assert sorted(turns) == list(range(100))
    assert turn(1, 99) == 0
