"""What the page shows now, made anew only when something changed.

The page asks twice a second. An answer stays good until the queue, the mails or the misbehaviour change, or until a
shown entry's state changes by itself, as when its link runs out; until then a request costs three small checks and
gets
304. Only the newest entries and mails are sent, with the total number.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Protocol

from server_stub.page import mail_view
from server_stub.page.queue_view import Entry
from server_stub.queue.store import Store
from server_stub.relay.mailbox import Mailbox

NEWEST = 200


class Misbehaving(Protocol):
    """What the page needs of the misbehaviour: its TOML, and how often each rule has acted."""

    @property
    def text(self) -> str:
        """The rules as TOML, empty for none."""

    def set(self, text: str) -> None:
        """Take over other rules at once. Raises StubError with a sentence."""

    def clear(self) -> None:
        """Behave."""

    def fired(self) -> list[tuple[str, int]]:
        """Return each rule in words and how often it has acted."""


@dataclass(frozen=True)
class Snapshot:
    """One answer: the JSON, and its ETag (RFC 9110 section 8.8.3), other in another process too."""

    body: bytes
    etag: str


class Watch:
    """Keeps the last snapshot for as long as it is good."""

    def __init__(self, store: Store, mailbox: Mailbox, misbehaviour: Misbehaving) -> None:
        self._store = store
        self._mailbox = mailbox
        self._misbehaviour = misbehaviour
        self._seen: object = None
        self._good_until: int | None = None
        self._last = Snapshot(b"", "")

    def snapshot(self, now: int) -> Snapshot:
        """Return what there is at `now`, nanoseconds since 1970."""
        seen = (self._store.version(), self._mailbox.version(), self._misbehaviour.text, self._misbehaviour.fired())
        if seen != self._seen or (self._good_until is not None and self._good_until < now):
            self._seen = seen
            self._last = self._look(now)
        return self._last

    def _look(self, now: int) -> Snapshot:
        bodies, queued = self._store.latest(NEWEST)
        entries = [Entry.parse(body) for body in bodies]
        coming = (entry.next_change(now) for entry in entries)
        self._good_until = min((change for change in coming if change is not None), default=None)
        mails, arrived = self._mailbox.latest(NEWEST, mail_view.PEEKED)
        body = _json(
            {
                "now": now // 10**6,
                "queue": {"total": queued, "rows": [_row(entry, now) for entry in entries]},
                "mail": {"total": arrived, "rows": [mail_view.row(mail) for mail in mails]},
                "misbehaviour": {"text": self._misbehaviour.text, "fired": self._misbehaviour.fired()},
            }
        )
        return Snapshot(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _row(entry: Entry, now: int) -> dict[str, object]:
    # What cannot be asked for by its id comes in full at once.
    return entry.row(now) if entry.key else entry.detail(now)


def _json(value: object) -> bytes:
    # Escaped, since a lone surrogate that somebody queued is no UTF-8.
    return json.dumps(value, separators=(",", ":")).encode()
