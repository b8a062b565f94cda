"""The snapshot: what the last good poll saw, and whether the token is good; the poller alone writes it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from mail_sender.condition import Conditions
from mail_sender.errors import ServerFault
from mail_sender.message import Listing, Message


@dataclass(slots=True)
class Snapshot:
    """The messages by id, and when they were listed; `conditions` say what is at fault.

    `may_send` says that the token was good when it was last checked, and that nothing has spoken against it since.
    """

    conditions: Conditions = field(default_factory=Conditions)
    messages: dict[UUID, Message] = field(default_factory=dict)
    at: datetime | None = None
    may_send: bool = False

    def note(self, fault: ServerFault, now: datetime) -> None:
        """Take in what is wrong with the server or the token."""
        if fault.kind.is_of_the_token:
            self.may_send = False
        self.conditions.server.down(fault.kind, fault.detail, fault.advice, now)

    def fill(self, listing: Listing, now: datetime) -> None:
        """Take in what a good poll saw."""
        self.messages = {message.id: message for message in listing.messages}
        self.at = now
        self.may_send = True
        self.conditions.server.up(now)
