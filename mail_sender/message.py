"""A message as the identity server queues it: frozen, and valid once it exists.

Times are aware and in UTC. A message of a kind that this version does not know is a value too (`UnknownContent`), so
that it can be held and reported, and does not hide the others.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
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


class MessageIds:
    """Ids of very many messages, and 16 octets beside each: a hundred thousand take 4 MB, where a `dict` takes 25.

    They lie one behind the other in buckets of about two dozen. What stands beside an id begins with its time, if it
    has one (`oldest`); the rest is its source's.
    """

    _BUCKETS = 4_096
    _SIZE = 32
    _SAMPLE = 8_000

    def __init__(self, ids: Iterable[UUID] = ()) -> None:
        self._buckets: dict[int, bytearray] = {}
        self._count = 0
        for id_ in ids:
            self.add(id_.bytes)

    def add(self, id_: bytes, beside: bytes = bytes(16)) -> bool:
        """Take in the octets of an id, and 16 others; say whether it is new."""
        bucket = self._buckets.setdefault(hash(id_) % self._BUCKETS, bytearray())
        if self._place(bucket, id_) >= 0:
            return False
        bucket += id_ + beside
        self._count += 1
        return True

    def beside(self, id_: bytes) -> bytes | None:
        """Return what stands beside the octets of an id; None if it is not here."""
        if (bucket := self._buckets.get(hash(id_) % self._BUCKETS)) is None:
            return None
        at = self._place(bucket, id_)
        return None if at < 0 else bytes(bucket[at + 16 : at + self._SIZE])

    def oldest(self, count: int) -> bytes:
        """Return the time and id of about the last one of so many oldest ones; of very many, a part is looked at."""
        step = max(1, self._count // self._SAMPLE)
        some = islice(self._buckets.values(), 0, None, step)
        keys = sorted(one[16:24] + one[:16] for bucket in some for one in self._records(bucket))
        return keys[min(max(count // step, 1), len(keys)) - 1] if keys else b""

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, UUID) and self.beside(id_.bytes) is not None

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageIds) and self._sorted == other._sorted

    __hash__ = None  # type: ignore[assignment]  # as for any set that grows

    @property
    def _sorted(self) -> list[bytes]:
        return sorted(one[:16] for bucket in self._buckets.values() for one in self._records(bucket))

    def _records(self, bucket: bytearray) -> Iterator[bytes]:
        return (bytes(bucket[at : at + self._SIZE]) for at in range(0, len(bucket), self._SIZE))

    def _place(self, bucket: bytearray, id_: bytes) -> int:
        at = bucket.find(id_)
        while at > 0 and at % self._SIZE:  # it stands beside an id, or begins in one
            at = bucket.find(id_, at + 1)
        return at


@dataclass(frozen=True, slots=True)
class Listing:
    """The queue as it was listed once: the messages that are ready, oldest first, and the malformed entries.

    `at` is the server's own time of it if the answer had one. `more_odd` is how many further malformed entries there
    are. `newest` is the latest `send_after` of all that the server itself calls due: its own clock is past that.
    Of a long list, `messages` are only a part: `ids` are those of the list as far as it was read, also of those
    messages that it need not show, since they are known.
    """

    messages: tuple[Message, ...]
    odd: tuple[OddEntry, ...]
    at: datetime | None = None
    more_odd: int = 0
    newest: datetime | None = None
    ids: MessageIds = None  # type: ignore[assignment]  # those of `messages`, if none are given

    def __post_init__(self) -> None:
        """Take the ids of the messages where none are given."""
        if self.ids is None:
            object.__setattr__(self, "ids", MessageIds(message.id for message in self.messages))
