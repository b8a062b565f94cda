"""Rows of the ledger as values, and values as what SQLite keeps: times are whole microseconds, UTC."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from mail_sender.ledger.base import Attempt, Delivery, Entry, Imprint
from mail_sender.ledger.sqlite_faults import Unreadable
from mail_sender.ledger.states import State

MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOGETHER = 500  # values in one statement
_Value = TypeVar("_Value")


def micros(when: datetime) -> int:
    """Return a time as the ledger keeps it."""
    return (when - _EPOCH) // MICROSECOND


def time(count: int) -> datetime:
    """Return the time that stands in a row. Raises `Unreadable`."""
    try:
        return _EPOCH + timedelta(microseconds=count)
    except (OverflowError, TypeError):
        raise Unreadable("a row is damaged") from None


def uuid(text: str) -> UUID:
    """Return the id that stands in a row. Raises `Unreadable`."""
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        raise Unreadable("a row is damaged") from None


COLUMNS = (  # in the order of the fields of `Delivery`
    "m.id, d.recipient, m.kind, d.state, d.send_after, d.deadline, d.next_attempt, d.attempts, d.ambiguous, d.copy, "
    "d.claim, d.dot, d.message_id, d.date, d.digest, d.relay, m.marked_at IS NOT NULL"
)
WIDTH = COLUMNS.count(",") + 1
"""How many they are: what else a row holds comes after them."""
OF_AN_ENTRY = "d.number, m.admitted_at, d.changed_at, m.marked_at, m.unsent_at, d.queue_id"
OF_A_LINE = "delivery, at, stage, verdict, code, reply, seconds, NULL, relay"  # a queue id stands with its delivery


def delivery(row: Sequence[Any]) -> Delivery:
    """Return the delivery that stands in a row of `COLUMNS`. Raises `Unreadable`."""
    id_, recipient, kind, state = row[:4]
    dot, message_id, date, digest, relay, marked = row[11:WIDTH]
    try:
        known = State(state)
    except ValueError:
        raise Unreadable("a row is damaged") from None
    imprint = Imprint(message_id, time(date), digest, relay) if message_id is not None else None
    times, counts = map(time, row[4:7]), row[7:11]
    fields: list[Any] = [uuid(id_), recipient, kind, known, *times, *counts, bool(dot), imprint, bool(marked)]
    return Delivery(*fields)


def deliveries(db: sqlite3.Connection, tail: str, values: Sequence[Any] = (), index: str = "") -> list[Delivery]:
    """Return the deliveries that the end of a SELECT chooses; `d` is the delivery, `m` its message.

    `index` is the one to use where SQLite, which knows nothing of a ledger's lengths, would choose another.
    """
    by = f"INDEXED BY {index}" if index else ""
    select = f"SELECT {COLUMNS} FROM delivery d {by} JOIN message m ON m.number = d.message {tail}"
    return [delivery(row) for row in db.execute(select, values)]


def key(of: Delivery) -> tuple[str, str]:
    """Return what names a delivery: recipient and message."""
    return of.recipient, str(of.message)


def listed(values: Collection[object]) -> str:
    """Return the list of an IN for as many values."""
    return f"({','.join('?' * len(values))})"


def chunks(values: Sequence[_Value], most: int = _TOGETHER) -> Iterator[Sequence[_Value]]:
    """Yield values in bundles of so many, which one statement can take if nothing else is said."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def entry(row: Sequence[Any], history: tuple[Attempt, ...]) -> Entry:
    """Return the entry that stands in a row of `COLUMNS` and `OF_AN_ENTRY`. Raises `Unreadable`."""
    number, admitted, changed, *others, queue_id = row[WIDTH:]
    marked, unsent = (None if at is None else time(at) for at in others)
    times = time(admitted), time(changed), marked, unsent
    return Entry(number, delivery(row), *times, queue_id, history)


def histories(lines: Iterable[Sequence[Any]]) -> dict[int, tuple[Attempt, ...]]:
    """Return the lines of history that stand in rows of `OF_A_LINE`, by the number of their delivery."""
    found: dict[int, list[Attempt]] = {}
    for number, at, *rest in lines:
        found.setdefault(number, []).append(Attempt(time(at), *rest))
    return {number: tuple(attempts) for number, attempts in found.items()}


def ends(found: Iterable[Sequence[Any]]) -> list[tuple[str, datetime]]:
    """Return recipients, and when the attempts ended of which rows name the beginning and the seconds."""
    return [(recipient, time(at) + timedelta(seconds=seconds)) for recipient, at, seconds in found]
