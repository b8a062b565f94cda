"""A message as the identity server queues it: frozen, and valid once it exists.

Times are aware and in UTC. A message of a kind that this version does not know is a value too (`UnknownContent`), so
that it can be held and reported, and does not hide the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

LINK_MARGIN = timedelta(seconds=60)
"""A link with less than this left is treated as expired: nobody could use it in time."""


@dataclass(frozen=True, slots=True)
class TestMessage:
    """`TestMessageV1`: somebody checks whether mail arrives."""

    kind = "test_message_v1"
    __test__ = False  # pytest collects classes named Test*

    display_name: str


@dataclass(frozen=True, slots=True)
class CredentialReset:
    """`CredentialResetV1`: a link with which a person sets new credentials.

    `intent_id` is the link's secret: `repr` hides it, and it is written nowhere but into the mail.
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
    """Content of a kind that this version does not know; `kind` is the tag of its JSON in snake case.

    `fields` is everything that it holds; any of it may be a secret, so it is left out of `repr`.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


Content = TestMessage | CredentialReset | UnknownContent


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the queue (docs/kanidm-wire.md, The queue entry).

    `recipients` are the addresses as the server gave them, each once, in their order; they are checked when their
    mails are made. `send_after` and `delete_after` say from when and until when the server keeps it for sending.
    """

    id: UUID
    send_after: datetime
    delete_after: datetime
    recipients: tuple[str, ...]
    content: Content

    @property
    def deadline(self) -> datetime:
        """When it expires: from then on its link, or the message itself, is gone before anybody could use it."""
        if isinstance(self.content, CredentialReset):
            return min(self.content.expires_at - LINK_MARGIN, self.delete_after)
        return self.delete_after


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was read by its id, and when it was marked as sent on the server, if it was."""

    message: Message
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class OddEntry:
    """A malformed entry of the queue: its id, where it has one, and which field is at fault.

    `partly` says that it is a message all the same: only some of its recipients cannot be read.
    """

    id: str
    problem: str
    partly: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The queue as it was listed once: the messages that are ready, oldest first, and the malformed entries.

    `at` is the server's own time of it if the answer had one. `more_odd` is how many further malformed entries there
    are. `newest` is the latest `send_after` of all that the server itself calls due: its own clock is past that.
    """

    messages: tuple[Message, ...]
    odd: tuple[OddEntry, ...]
    at: datetime | None = None
    more_odd: int = 0
    newest: datetime | None = None
