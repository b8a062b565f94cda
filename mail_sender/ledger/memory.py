"""A ledger in memory: it keeps every promise but one, that a restart knows what was sent."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import FINAL, State, check
from mail_sender.message import Message

_KEPT_AFTER = timedelta(days=1)


@dataclass(slots=True)
class _Entry:
    delete_after: datetime
    deliveries: dict[str, Delivery] = field(default_factory=dict)


class MemoryLedger:
    """Deliveries by message and recipient."""

    def __init__(self) -> None:
        self._entries: dict[UUID, _Entry] = {}
        self._unmarked: dict[UUID, None] = {}

    async def admit(self, messages: Sequence[Message], now: datetime) -> None:
        """Take up what is new of these messages."""
        for message in messages:
            entry = self._entries.setdefault(message.id, _Entry(message.delete_after))
            if entry.deliveries and all(delivery.state in FINAL for delivery in entry.deliveries.values()):
                continue
            for recipient in message.recipients:
                new = Delivery(message.id, recipient, State.QUEUED, next_attempt=now)
                entry.deliveries.setdefault(recipient, new)

    async def deliveries(self, messages: Iterable[UUID]) -> Mapping[UUID, tuple[Delivery, ...]]:
        """Return the deliveries of messages."""
        return {id_: tuple(self._entries[id_].deliveries.values()) for id_ in messages if id_ in self._entries}

    async def begin(self, delivery: Delivery) -> None:
        """An attempt starts."""
        self._move(delivery, State.PROCESSING)

    async def dot(self, delivery: Delivery) -> None:
        """Nothing to write: what a restart would read of it dies with the process."""

    async def settle(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Write what became of a delivery."""
        current = self._move(delivery, outcome.state)
        entry = self._entries[delivery.message]
        entry.deliveries[delivery.recipient] = replace(
            current,
            next_attempt=outcome.next_attempt,
            attempts=outcome.attempts,
            ambiguous=outcome.ambiguous,
        )
        states = [known.state for known in entry.deliveries.values()]
        complete = State.SENT in states and all(state in FINAL for state in states)
        if complete:
            self._unmarked[delivery.message] = None
        return complete

    async def unmarked(self) -> Sequence[UUID]:
        """Return the messages that the server must still be told of."""
        return tuple(self._unmarked)

    async def marked(self, message: UUID) -> None:
        """The server knows."""
        self._unmarked.pop(message, None)

    async def forget(self, now: datetime, keep: Container[UUID] = frozenset()) -> None:
        """Drop what the server should have deleted more than a day ago."""
        old = [id_ for id_, entry in self._entries.items() if entry.delete_after < now - _KEPT_AFTER]
        for message in old:
            if message not in keep:
                del self._entries[message]
                self._unmarked.pop(message, None)

    def _move(self, delivery: Delivery, state: State) -> Delivery:
        deliveries = self._entries[delivery.message].deliveries
        current = deliveries[delivery.recipient]
        check(current.state, state)
        deliveries[delivery.recipient] = replace(current, state=state)
        return deliveries[delivery.recipient]
