"""Long queues: closed to `_ready` from 16,384 unsent on, to a person's lists from 1,024, and paged."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator

import httpx
import pytest

from server_stub.queue.fill import fill
from server_stub.queue.store import Store
from tests.support.stub import Stub

LIMIT = 16_384
QUEUED = 17_000
ENTRY = {
    "message_template": {"TestMessageV1": {"display_name": "Ellie"}},
    "mail_destination": [{"primary": True, "value": "ellie@example.com"}],
}


@pytest.fixture
def api(stub: Stub) -> Iterator[httpx.Client]:
    """Give one connection to the API."""
    trust = ssl.create_default_context(cafile=str(stub.ca))
    headers = {"authorization": f"Bearer {stub.tokens['readwrite']}"}
    with httpx.Client(base_url=stub.url, verify=trust, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def test_a_long_queue_is_listed_marked_and_refused_at_its_limit(stub: Stub, api: httpx.Client) -> None:
    """Sent ones do not count; the filtered list still answers where `_ready` does not."""
    ids = stub.queue([ENTRY] * QUEUED)
    refused = api.get("/scim/v1/Message/_ready")
    assert (refused.status_code, refused.json()) == (500, "backend")
    unsent = api.get("/scim/v1/Message", params={"filter": "not (sent_at pr)"}).json()
    assert [one["id"] for one in unsent["resources"]] == ids

    to_mark = ids[: QUEUED - LIMIT]
    for key in to_mark:
        assert api.post(f"/scim/v1/Message/{key}/_sent").status_code == 200
    assert api.get("/scim/v1/Message/_ready").status_code == 500

    api.post(f"/scim/v1/Message/{ids[-1]}/_sent")
    answer = api.get("/scim/v1/Message/_ready")
    assert answer.json()["totalResults"] == LIMIT - 1


def test_pages_follow_each_other(stub: Stub, api: httpx.Client) -> None:
    """Every entry once, in order; the total is that of the whole list."""
    ids = stub.queue([ENTRY] * 25)
    seen = []
    for start in (1, 11, 21):
        page = api.get("/scim/v1/Message", params={"count": 10, "startIndex": start}).json()
        assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (25, 10, start)
        seen += [one["id"] for one in page["resources"]]
    assert seen == ids


@pytest.fixture
def store(stub: Stub) -> Iterator[Store]:
    """Give the queue of the running stub, as another process has it."""
    store = Store.open(stub.dir / "queue.sqlite", create=False)
    yield store
    store.close()


def asked(stub: Stub, path: str, role: str) -> tuple[int, object]:
    answer = stub.request("GET", path, role)
    return answer.status_code, answer.json() if answer.status_code == 500 else None


REFUSED, ANSWERED = (500, "backend"), (200, None)


def test_a_person_cannot_list_a_thousand_messages(stub: Stub, store: Store) -> None:
    """From 1,024 on, whatever page is asked for, sent ones included; a filter that leaves fewer helps."""
    fill(store, 1_023, time.time_ns())
    (key,) = [one["id"] for one in stub.messages()[:1]]
    store.mark_sent(key, time.time_ns())
    assert asked(stub, "/scim/v1/Message", "admin") == ANSWERED
    fill(store, 1, time.time_ns())
    for path in ("/scim/v1/Message", "/scim/v1/Message?count=1"):
        assert asked(stub, path, "admin") == REFUSED
        assert asked(stub, path, "readonly") == ANSWERED
    assert asked(stub, "/scim/v1/Message?filter=sent_at pr", "admin") == ANSWERED
    assert asked(stub, f"/scim/v1/Message/{key}", "admin") == ANSWERED


def test_a_person_is_refused_many_ready_messages(stub: Stub, store: Store) -> None:
    """More than 1,024 ready ones, or 2,048 unsent ones that are not due."""
    fill(store, 1_024, time.time_ns())
    assert asked(stub, "/scim/v1/Message/_ready", "admin") == ANSWERED
    fill(store, 1, time.time_ns())
    assert asked(stub, "/scim/v1/Message/_ready", "admin") == REFUSED
    for one in stub.messages():
        store.delay(one["id"], 2**62)
    fill(store, 1_022, time.time_ns())
    assert asked(stub, "/scim/v1/Message/_ready", "admin") == ANSWERED
    fill(store, 1, time.time_ns())
    assert asked(stub, "/scim/v1/Message/_ready", "admin") == REFUSED
    assert asked(stub, "/scim/v1/Message/_ready", "readwrite") == ANSWERED
