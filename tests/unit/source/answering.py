"""What a Kanidm answers: captured from a real one, or made up."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from mail_sender.errors import ServerFault
from mail_sender.source.kanidm import KanidmSource
from tests.conformance import captures

SERVER = "https://idm.example.com"
QUEUE = "/scim/v1/Message"
READY = f"{QUEUE}/_ready"
ONE = UUID("ae9755fd-8069-443f-b635-f23eca310227")
SENT = f"{QUEUE}/{ONE}/_sent"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CAPTURED = {capture.name: capture for capture in captures.load()}
BACKEND = httpx.Response(500, json="backend")
NOTHING = httpx.Response(200, json={"schemas": [], "totalResults": 0, "resources": []})


def captured(name: str) -> httpx.Response:
    """Return the answer that a real server gave."""
    found = CAPTURED[name]
    content = found.text if found.json is captures.ABSENT else json.dumps(found.json)
    return httpx.Response(found.status, headers=found.headers, content=content)


def account(name: object = "mail-sender") -> httpx.Response:
    """Return /v1/self's answer for a sender of that name."""
    attributes = {"name": [name], "memberof": ["idm_message_senders@localhost"]}
    return httpx.Response(200, content=json.dumps({"youare": {"attrs": attributes}}))


def entry(number: int, **more: object) -> dict[str, object]:
    """Return an entry of the queue whose id is the number."""
    return {
        "schemas": [],
        "id": str(UUID(int=number)),
        "send_after": "2026-11-20T00:00:00Z",
        "delete_after": "2026-11-27T00:00:00Z",
        "mail_destination": [{"primary": True, "value": f"u{number}@example.com"}],
        "message_template": {"TestMessageV1": {"display_name": "x"}},
        **more,
    }


def listed(entries: Sequence[object], total: int) -> httpx.Response:
    """Return a list."""
    return httpx.Response(200, json={"schemas": [], "totalResults": total, "resources": list(entries)})


async def fault_of_list(source: KanidmSource) -> ServerFault:
    """Return what listing raises."""
    with pytest.raises(ServerFault) as caught:
        await source.list_ready(NOW)
    return caught.value
