"""What the worker asks of a ledger, whichever it is: the only writer of delivery state.

A delivery goes `begin` -> `dot` -> `settle`. What `dot` has written says, after a crash, that the mail may have
arrived. A message is `unmarked` from the moment when all its deliveries are final and one of them is sent, until
`marked` says that the server knows.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from mail_sender.ledger.states import State
from mail_sender.message import Message


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one recipient.

    `next_attempt` is when a queued delivery is due, `attempts` how often the relay gave a verdict on it,
    `ambiguous` how often it was cut off between the dot and its reply.
    """

    message: UUID
    recipient: str
    state: State
    next_attempt: datetime
    attempts: int = 0
    ambiguous: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a delivery becomes: its state, and what of it counts."""

    state: State
    next_attempt: datetime
    attempts: int
    ambiguous: int


class Ledger(Protocol):
    """Every delivery's state, kept as long as its message lives, and a day longer."""

    async def admit(self, messages: Sequence[Message], now: datetime) -> None:
        """Take up what is new of these messages, queued and due at once; what is known stays as it is."""
        ...

    async def deliveries(self, messages: Iterable[UUID]) -> Mapping[UUID, tuple[Delivery, ...]]:
        """Return the deliveries of messages, in the order of their recipients."""
        ...

    async def begin(self, delivery: Delivery) -> None:
        """An attempt starts: queued -> processing."""
        ...

    async def dot(self, delivery: Delivery) -> None:
        """All but the final dot is written; from here on the mail may have arrived."""
        ...

    async def settle(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Write what became of a delivery; say whether its message has become unmarked by it."""
        ...

    async def unmarked(self) -> Sequence[UUID]:
        """Return the messages that the server must still be told of, oldest first."""
        ...

    async def marked(self, message: UUID) -> None:
        """The server knows that the message is sent, or does not want to know any more."""
        ...

    async def forget(self, now: datetime, keep: Container[UUID] = frozenset()) -> None:
        """Drop what the server should have deleted more than a day ago, except for what it still lists."""
        ...
