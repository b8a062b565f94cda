"""The inbox: what the last good poll saw, and whether the token will do. The poller fills it, the others look."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from mail_sender.condition import Conditions
from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.message import Listing, Message

OF_THE_TOKEN = frozenset(
    {ServerFaultKind.TOKEN_REFUSED, ServerFaultKind.TOKEN_READ_ONLY, ServerFaultKind.NOT_A_SENDER}
)
"""Troubles under which nothing may be mailed: it could not be marked."""


@dataclass(slots=True)
class Snapshot:
    """The messages by id, and when they were listed; `conditions` are what is wrong with whom.

    `may_send` says that the token was good when it was last looked at, and nothing has spoken against it since.
    """

    conditions: Conditions = field(default_factory=Conditions)
    messages: dict[UUID, Message] = field(default_factory=dict)
    at: datetime | None = None
    may_send: bool = False

    def note(self, fault: ServerFault, now: datetime) -> None:
        """Take in what is wrong with the server or the token."""
        if fault.kind in OF_THE_TOKEN:
            self.may_send = False
        self.conditions.server.down(fault.kind, fault.detail, fault.advice, now)

    def fill(self, listing: Listing, now: datetime) -> None:
        """Take in what a good poll saw."""
        self.messages = {message.id: message for message in listing.messages}
        self.at = now
        self.may_send = True
        self.conditions.server.up(now)
