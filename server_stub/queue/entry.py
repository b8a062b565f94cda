"""The JSON of the queue: one message entry, and the list that carries many (docs/kanidm-wire.md, The queue entry).

An entry's attributes stand in alphabetical order after `schemas` and `id`; a key without a value is absent,
never null. Lists are put together from stored text: 16,383 entries are 5 MB, which is not worth parsing to be
written again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from server_stub import timestamps

RETENTION = 7 * 86_400 * timestamps.NANOS  # Kanidm's DEFAULT_MESSAGE_RETENTION
CLASSES = ["object", "outbound_message"]
ATTRIBUTES = ("class", "delete_after", "mail_destination", "message_template", "send_after", "sent_at")


@dataclass(frozen=True)
class Page:
    """A part of a list: `start` counts from 1."""

    start: int
    count: int


def compose(template: dict[str, object], address: str, now: int) -> dict[str, object]:
    """Return the entry that Kanidm makes when it queues `template` for `address` at `now`."""
    return {
        "schemas": [],
        "id": str(uuid.uuid4()),
        "class": CLASSES,
        "delete_after": timestamps.write(now + RETENTION),
        "mail_destination": [{"primary": True, "value": address}],
        "message_template": template,
        "send_after": timestamps.write(now),
    }


def test_message(displayname: str) -> dict[str, object]:
    """Return the template of a test message."""
    return {"TestMessageV1": {"display_name": displayname}}


def complete(raw: dict[str, object], now: int) -> dict[str, object]:
    """Fill in what a hand-written entry leaves out; what it has is kept as it stands."""
    defaults = compose({}, "", now)
    filled = {key: raw.get(key, defaults[key]) for key in ("schemas", "id", "class", "delete_after", "send_after")}
    head = {key: filled.pop(key) for key in ("schemas", "id")}
    return head | dict(sorted({**raw, **filled}.items())) | head


def to_text(value: object) -> str:
    """Return compact JSON as a server writes it. Raises ValueError for what JSON cannot hold (infinity)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate is no UTF-8; escaped, it still reaches a client as the oddity it is.
    return text if text.isprintable() or _is_utf8(text) else json.dumps(value, separators=(",", ":"))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def listing(bodies: Sequence[str], total: int, page: Page | None = None) -> bytes:
    """Return a list body; the two paging keys are there only when a page was asked for."""
    paging = f'"itemsPerPage":{page.count},"startIndex":{page.start},' if page else ""
    return f'{{"schemas":[],"totalResults":{total},{paging}"resources":[{",".join(bodies)}]}}'.encode()


def reduce(entry: dict[str, object], attributes: Sequence[str] | None) -> dict[str, object]:
    """Keep only the named attributes; `schemas` and `id` always stay (docs/kanidm-wire.md, Query parameters)."""
    if attributes is None:
        return entry
    return {key: value for key, value in entry.items() if key in {"schemas", "id", *attributes}}
