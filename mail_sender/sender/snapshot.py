"""The snapshot: what the last good poll saw, whether the token is good, and which messages may be gone.

A server that does not know a message, when it is asked for it alone, may be a replica that lags behind the one that
was polled. So its word counts only together with the next good poll, once that lacks the message too.

While another replica polls, there is no list, and `at` is when there was news of that one's last list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.condition import Conditions
from mail_sender.errors import ServerFault
from mail_sender.message import Listing, Message, MessageIds

MOST_DOUBTED = 10_000
"""Doubted messages that are remembered; the oldest is forgotten first, and waits for one more poll."""


@dataclass(slots=True)
class Snapshot:
    """The ids of all messages, the contents of those that come next, and when they were listed.

    Only the poller fills it; `follows` says that this replica is not the one that polls. `may_send` says that the
    token was good when it was last checked, and that nothing has spoken against it since. `conditions` say what is at
    fault. `admitting` is the time of a list that the ledger is taking up, part by part: what it holds is not due
    before all of it is there.
    """

    conditions: Conditions = field(default_factory=Conditions)
    messages: Mapping[UUID, Message] = field(default_factory=dict)
    ids: MessageIds = field(default_factory=MessageIds)
    admitting: datetime | None = None
    at: datetime | None = None
    may_send: bool = False
    follows: bool = False
    _polls: int = 0
    _doubted: dict[tuple[UUID, bool], int] = field(default_factory=dict)

    def note(self, fault: ServerFault, now: datetime) -> None:
        """Take in what is wrong with the server or the token.

        Who has no list of its own can mail nothing without the server, either.
        """
        if fault.kind.is_of_the_token or (self.follows and not self.messages):
            self.may_send = False
        self.conditions.server.down(fault.kind, fault.detail, fault.advice, now)

    def fill(self, listing: Listing, messages: Mapping[UUID, Message], now: datetime) -> None:
        """Take in what a good poll saw, and those messages of it whose contents are kept."""
        self.messages = messages
        self.ids = listing.ids
        self.at = now
        self.admitting = None
        self.may_send = True
        self.follows = False
        self._polls += 1
        self.conditions.server.up(now)

    def follow(self, now: datetime) -> None:
        """Take in that another replica polls, and the server can be read: what was listed here counts no more."""
        self.messages, self.ids = {}, MessageIds()
        self._doubted.clear()
        self.at = self.at or now
        self.may_send = True
        self.conditions.server.up(now)

    def hear(self, now: datetime) -> None:
        """Take in news of another replica's list."""
        if self.follows and self.at is not None:
            self.at = now

    @property
    def has_nothing_of_its_own(self) -> bool:
        """Whether nothing is left of a list of this replica's own."""
        return not self.messages and not self.ids and not self._doubted

    def due_by(self, now: datetime) -> datetime:
        """Return by when a delivery has to be due now."""
        return now if self.admitting is None else min(now, self.admitting - timedelta.resolution)

    def doubt(self, message: UUID, *, is_gone: bool) -> None:
        """Take in that the server does not know a message, or does not give it; the first time of each counts."""
        if len(self._doubted) >= MOST_DOUBTED:
            self._doubted.pop(next(iter(self._doubted)))
        self._doubted.setdefault((message, is_gone), self._polls)

    def settle_doubt(self, message: UUID) -> None:
        """Take in that a message is there, or that it is gone for good."""
        for is_gone in (True, False):
            self._doubted.pop((message, is_gone), None)

    def may_be_gone(self, message: UUID) -> bool:
        """Whether the server did not know the message, and nothing has shown yet whether it is gone."""
        return (message, True) in self._doubted

    def is_gone(self, message: UUID) -> bool:
        """Whether a good poll, since the server did not know the message, lacks it too."""
        return self._was_polled_since((message, True)) and message not in self.ids

    def is_there(self, message: UUID) -> bool:
        """Whether a good poll, since the server did not know or give the message, lists it all the same."""
        doubts = ((message, True), (message, False))
        return message in self.ids and any(self._was_polled_since(doubt) for doubt in doubts)

    def _was_polled_since(self, doubt: tuple[UUID, bool]) -> bool:
        return self._doubted.get(doubt, self._polls) < self._polls
