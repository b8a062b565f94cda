"""The ledgers that the contract is checked on, and what a test does with one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from mail_sender.ledger.base import Delivery, Fenced, Ledger, Outcome
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.support.samples import IMPRINT, NOW

LEDGERS: dict[str, Callable[[Path], Awaitable[Ledger]]] = {
    "file": lambda folder: SqliteLedger.open(folder / "ledger.db"),
    "memory": lambda _: SqliteLedger.open(None),
}
WEEK = timedelta(days=7)


async def admit(ledger: Ledger, *messages: Message, now: datetime = NOW, max_age: timedelta = WEEK) -> Sequence[UUID]:
    """Take messages up."""
    return await ledger.admit(messages, now, max_age)


async def of_one(ledger: Ledger, of: Message) -> Delivery:
    """Return the one delivery of a message."""
    (found,) = await ledger.deliveries(of.id)
    return found


async def states(ledger: Ledger, of: Message) -> list[State]:
    """Return where a message stands for each recipient."""
    return [found.state for found in await ledger.deliveries(of.id)]


def outcome(state: State, next_attempt: datetime = NOW, **rest: int) -> Outcome:
    """Return an outcome."""
    return Outcome(state, next_attempt, **{"attempts": 1, "ambiguous": 0, **rest})


async def become(
    ledger: Ledger, of: Message, state: State, recipient: str | None = None, now: datetime = NOW
) -> bool:
    """Lead a queued delivery (the first one) to a state, as the worker does; return what the last step said."""
    recipient = recipient or of.recipients[0]
    found = next(found for found in await ledger.deliveries(of.id) if found.recipient == recipient)
    if state in {State.SENT, State.FAILED, State.ABANDONED, State.UNKNOWN, State.PROCESSING}:
        found = await ledger.begin(found)
    if state is State.PROCESSING:
        return False
    if state in {State.SENT, State.UNKNOWN}:
        await ledger.dot(found, IMPRINT)
    return await ledger.settle(found, outcome(state), now)


async def claimed(ledger: Ledger, delivery: Delivery) -> Delivery:
    """Claim a delivery that has changed: where a ledger refuses that at once, the claim is one that nobody has."""
    try:
        return await ledger.begin(delivery)
    except Fenced:
        return replace(delivery, state=State.PROCESSING, claim=delivery.claim + 1_000)


async def unmarked(ledger: Ledger, now: datetime = NOW) -> list[UUID]:
    """Return the messages to mark as sent."""
    return list(await ledger.unmarked(now))


async def due(ledger: Ledger, now: datetime = NOW, limit: int = 100, without: Sequence[str] = ()) -> list[UUID]:
    """Return the messages of what is due, in its order."""
    return [found.message for found in await ledger.due(now, limit, without)]
