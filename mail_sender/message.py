"""A message as the identity server queues it: frozen, and valid once it exists.

Times are aware and in UTC. A message of a kind that this version does not know is a value too
(`UnknownContent`), so that it can be held and named instead of hiding the good ones beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

LINK_MARGIN = timedelta(seconds=60)
"""A link must live that much longer than its mail takes to be read."""


@dataclass(frozen=True, slots=True)
class TestMessage:
    """`TestMessageV1`: somebody checks that mail arrives."""

    kind = "test_message_v1"
    __test__ = False  # pytest collects classes named Test*

    display_name: str


@dataclass(frozen=True, slots=True)
class CredentialReset:
    """`CredentialResetV1`: a link with which a person sets new credentials.

    `intent_id` is the secret of the link: it is left out of `repr`, and belongs nowhere but in the mail.
    """

    kind = "credential_reset_v1"

    display_name: str
    intent_id: "IntentId"
    expires_at: datetime


class IntentId(str):
    """The secret part of a reset link; it prints as a row of stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide the secret from logs and tracebacks."""
        return "IntentId('***')"


@dataclass(frozen=True, slots=True)
class UnknownContent:
    """A template that this version has never heard of, by its kind: the wire's tag in snake case.

    `fields` is all that it holds; any of it may be a secret, so it is left out of `repr`.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


Content = TestMessage | CredentialReset | UnknownContent


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the queue (docs/kanidm-wire.md, The queue entry).

    `recipients` are the addresses as the server gave them, each once, in their order; whether an address is
    one is decided when its mail is made.
    """

    id: UUID
    send_after: datetime
    delete_after: datetime
    recipients: tuple[str, ...]
    content: Content

    @property
    def deadline(self) -> datetime:
        """The moment from which mailing it would be of no use: its link or the message itself is as good as gone."""
        if isinstance(self.content, CredentialReset):
            return min(self.content.expires_at - LINK_MARGIN, self.delete_after)
        return self.delete_after


@dataclass(frozen=True, slots=True)
class Found:
    """A message as the server shows it when asked for that one, and when it was marked sent there, if it was."""

    message: Message
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class OddEntry:
    """An entry of the queue that could not be read: its id, where it has one, and the place of the fault."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What one look at the queue gave: the messages that are ready, oldest first, and the unreadable rest.

    `at` is the server's own time of it, where it told.
    """

    messages: tuple[Message, ...]
    odd: tuple[OddEntry, ...]
    at: datetime | None = None
