"""A queue of 17,000 messages: listed and marked, and closed to `_ready` from 16,384 unsent on."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest

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
