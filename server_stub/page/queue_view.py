"""A queue entry as the page shows it.

An entry may be anything that somebody queued by hand, even a number. A value that cannot be read is shown as absent.

| state | meaning |
|---|---|
| sent | `sent_at` is set |
| expired | not sent, and its link or its time in the queue has run out |
| delayed | not sent, and `send_after` has not passed (docs/kanidm-wire.md, Listing the queue) |
| queued | ready: the next poll lists it |
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from server_stub import timestamps
from server_stub.queue.entry import RETENTION

KINDS = {"TestMessageV1": "Test message", "CredentialResetV1": "Credential reset"}
LATEST = timestamps.read("9999-12-31T23:59:59Z") or 0


@dataclass(frozen=True)
class Entry:
    """One entry; all times in nanoseconds since 1970, None if the entry has none that can be read."""

    body: str
    attributes: dict[str, object]

    @classmethod
    def parse(cls, body: str) -> Entry:
        """Read the JSON of the store."""
        content = json.loads(body)
        return cls(body, content if isinstance(content, dict) else {})

    @property
    def key(self) -> str | None:
        """The id by which the entry is asked for, None if it has none that a path can hold."""
        try:
            return str(uuid.UUID(str(self.attributes.get("id"))))
        except ValueError:
            return None

    @property
    def kind(self) -> str:
        """The kind of its template, in words where it is one of Kanidm's."""
        return ", ".join(KINDS.get(name, name) for name in self._template) or "No template"

    @property
    def name(self) -> str:
        """The display name of the person it is for."""
        return ", ".join(str(content["display_name"]) for content in self._contents if "display_name" in content)

    @property
    def recipients(self) -> list[str]:
        """The addresses, primary or not, in the entry's order."""
        destinations = self.attributes.get("mail_destination")
        items = destinations if isinstance(destinations, list) else []
        return [str(item.get("value", "")) for item in items if isinstance(item, dict)]

    @property
    def created(self) -> int | None:
        """When it was queued: `delete_after` counts from then, and stays (docs/kanidm-wire.md, The queue entry)."""
        deleted = self._time("delete_after")
        return deleted - RETENTION if deleted is not None else self._time("send_after")

    @property
    def expires(self) -> int | None:
        """When its link runs out, or where it carries none, its time in the queue."""
        links = [seconds * timestamps.NANOS for content in self._contents for seconds in _seconds(content)]
        return min(links, default=self._time("delete_after"))

    def state(self, now: int) -> str:
        """Return one of the four words above."""
        send_after = self._time("send_after")
        if self.attributes.get("sent_at") is not None:
            return "sent"
        if self.expires is not None and self.expires <= now:
            return "expired"
        return "delayed" if send_after is not None and send_after >= now else "queued"

    def next_change(self, now: int) -> int | None:
        """Return when its state will be another without anybody doing anything."""
        times = (self._time("send_after"), self.expires)
        coming = [time for time in times if time is not None and time >= now]
        return min(coming, default=None) if self.attributes.get("sent_at") is None else None

    def row(self, now: int) -> dict[str, object]:
        """Return what the list shows."""
        return {
            "key": self.key,
            "state": self.state(now),
            "kind": self.kind,
            "name": self.name,
            "recipients": self.recipients,
            "created": written(self.created),
        }

    def detail(self, now: int) -> dict[str, object]:
        """Return what is shown of a selected entry, its JSON included."""
        return {
            **self.row(now),
            "send_after": self.attributes.get("send_after"),
            "expires": written(self.expires),
            "sent_at": self.attributes.get("sent_at"),
            "json": json.dumps(json.loads(self.body), indent=2, ensure_ascii=False),
        }

    @property
    def _template(self) -> dict[str, object]:
        template = self.attributes.get("message_template")
        return template if isinstance(template, dict) else {}

    @property
    def _contents(self) -> list[dict[str, object]]:
        return [content for content in self._template.values() if isinstance(content, dict)]

    def _time(self, name: str) -> int | None:
        return timestamps.read(self.attributes.get(name))


def written(time_ns: int | None) -> str | None:
    """Return a time in nanoseconds as RFC 3339; None for none, and for one beyond the calendar."""
    return timestamps.write(time_ns) if time_ns is not None and 0 <= time_ns <= LATEST else None


def _seconds(content: dict[str, object]) -> list[int]:
    seconds = content.get("expiry_time")
    return [seconds] if isinstance(seconds, int) else []
