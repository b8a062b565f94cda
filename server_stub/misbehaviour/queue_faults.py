"""Faults of the queue itself: the [queue] table.

    [queue]
    lagging_seconds = 10        # listings show the queue of a while ago, as a replica that lags
    overlapping_pages = true    # pages repeat entries and miss others, as a real server's do
    unknown_template = 1        # queue so many messages of a kind that no sender knows
    malformed = 4               # ... entries that break the shape of a message, each in another way
    many_recipients = 1         # ... messages to three recipients each
    expired_reset = 1           # ... credential resets whose link has run out already

The first two act as long as the rules are active. The entries of the others are queued once, when the rules are
applied: they can be listed, read and marked like any other, and stay when the rules are cleared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from server_stub import timestamps
from server_stub.misbehaviour.toml_table import Table
from server_stub.queue import credential_reset
from server_stub.queue.entry import compose, test_message

KEYS = ("lagging_seconds", "overlapping_pages", "unknown_template", "malformed", "many_recipients", "expired_reset")
ADDRESS = "ellie@example.com"
RECIPIENTS = (ADDRESS, "bob@example.com", "carol@example.com")
MOST = 1000
ELAPSED_SECONDS = 600

Entry = dict[str, object]


@dataclass(frozen=True)
class QueueFaults:
    """The table, read; counts are of messages."""

    lagging_seconds: float = 0.0
    overlapping_pages: bool = False
    unknown_template: int = 0
    malformed: int = 0
    many_recipients: int = 0
    expired_reset: int = 0

    def entries(self, now: int) -> Iterator[Entry]:
        """Yield what is to be queued at `now`, in nanoseconds."""
        yield from (_unknown(now) for _ in range(self.unknown_template))
        yield from (spoil(_plain(now)) for spoil in itertools.islice(itertools.cycle(SPOILERS), self.malformed))
        yield from (_to_many(now) for _ in range(self.many_recipients))
        yield from (_expired(now) for _ in range(self.expired_reset))

    @property
    def words(self) -> Iterator[tuple[str, int]]:
        """Yield what is queued, in words, and how many of it."""
        kinds = {
            "messages of an unknown kind": self.unknown_template,
            "malformed entries": self.malformed,
            "messages to three recipients": self.many_recipients,
            "resets that have expired": self.expired_reset,
        }
        yield from ((f"Queue: adds {kind}", count) for kind, count in kinds.items() if count)


def read(name: str, content: object) -> QueueFaults:
    """Read the [queue] table. Raises StubError."""
    table = Table.read(name, content, KEYS)
    return QueueFaults(
        lagging_seconds=table.seconds("lagging_seconds") or 0.0,
        overlapping_pages=table.flag("overlapping_pages"),
        **{key: table.whole(key, 1, MOST) or 0 for key in KEYS[2:]},
    )


def _plain(now: int) -> Entry:
    return compose(test_message("Ellie"), ADDRESS, now)


def _unknown(now: int) -> Entry:
    return compose({"InvitationV9": {"display_name": "Ellie"}}, ADDRESS, now)


def _to_many(now: int) -> Entry:
    return _plain(now) | {"mail_destination": [{"primary": not at, "value": to} for at, to in enumerate(RECIPIENTS)]}


def _expired(now: int) -> Entry:
    elapsed = {"expiry_time": now // timestamps.NANOS - ELAPSED_SECONDS, "intent_id": credential_reset.intent_id()}
    return compose({"CredentialResetV1": {"display_name": "Ellie", **elapsed}}, ADDRESS, now)


def _without_destination(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key != "mail_destination"}


def _without_template(entry: Entry) -> Entry:
    return entry | {"message_template": None}


def _with_two_templates(entry: Entry) -> Entry:
    return entry | {"message_template": {"TestMessageV1": {}, "CredentialResetV1": {}}}


def _with_broken_time(entry: Entry) -> Entry:
    return entry | {"delete_after": "next week"}


SPOILERS = (_without_destination, _without_template, _with_two_templates, _with_broken_time)
