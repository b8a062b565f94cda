"""Which deliveries are due, and which of them are fresh; each answered from an index, however long the ledger is."""

import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from mail_sender.backoff import LONGEST_WAIT
from mail_sender.ledger import rows
from mail_sender.ledger.base import ASKED_LATELY, MOST_BEFORE, Delivery, Key, Stuck

_FRESH = (
    "SELECT number, recipient, next_attempt, send_after FROM delivery INDEXED BY delivery_due "
    "WHERE state = 'queued' AND claim = 0 AND next_attempt > ? AND next_attempt <= ? AND deadline > ? "
    "AND send_after > ? "
    "ORDER BY next_attempt, send_after, number LIMIT ?"
)
_UP_TO = (
    "WHERE d.state = 'queued' AND d.recipient = ? COLLATE NOCASE AND d.deadline > ? "
    "AND (d.next_attempt, d.send_after, d.number) <= (?, ?, ?) "
    "ORDER BY d.next_attempt, d.send_after, d.number LIMIT ?"
)


class _Clause(NamedTuple):
    """The end of a WHERE clause with its values, and the index that serves it."""

    text: str
    values: tuple[str, ...]
    served_by: str


def which(deadline_by: datetime | None, stuck: Stuck | None) -> _Clause:
    """Return which deliveries are meant of those that are due: what cannot wait longer, nothing that must."""
    text, index = "", "delivery_due"
    values: tuple[str, ...] = ()
    if deadline_by is not None:
        text = f"AND d.state IN ('queued', 'held') AND d.deadline <= {rows.micros(deadline_by)}"
        index = "delivery_deadline"
    if stuck is not None:
        own = f"CASE WHEN d.relay IN {rows.listed(stuck.relays)} THEN d.relay ELSE ? END"
        text += f" AND (d.ambiguous = 0 OR {own} NOT IN {rows.listed(stuck.take_none)})"
        values = *stuck.relays, stuck.relays[0], *stuck.take_none
    return _Clause(text, values, index)


def due(db: sqlite3.Connection, now: datetime, limit: int, without: Collection[str], of: _Clause) -> list[Delivery]:
    """Return what is past its deadline, and then what is due of the deliveries that are meant."""
    # What would wait longer was written by a clock that ran ahead.
    current, ahead = rows.micros(now), rows.micros(now + LONGEST_WAIT)
    late = "WHERE d.state IN ('queued', 'held') AND d.deadline <= ? ORDER BY d.deadline LIMIT ?"
    others = f"AND d.recipient COLLATE NOCASE NOT IN {rows.listed(without)}" if without else ""
    found = rows.deliveries(db, late, (current, limit), "delivery_deadline")
    for when, bound in (("<=", current), (">", ahead)):
        due = f"WHERE d.state = 'queued' AND d.next_attempt {when} ? AND d.deadline > ? {of.text} {others}"
        longest_first = "ORDER BY d.next_attempt, d.send_after, d.number LIMIT ?"
        values = bound, current, *of.values, *without, limit - len(found)
        found += rows.deliveries(db, f"{due} {longest_first}", values, of.served_by)
    return found


def fresh(db: sqlite3.Connection, now: datetime, since: datetime, limit: int) -> list[Delivery]:
    """Return what was admitted since then and not tried yet, each behind what is due for its address before it."""
    current = rows.micros(now)
    bounds = rows.micros(since), current, current, rows.micros(now - ASKED_LATELY)
    found: dict[Key, Delivery] = {}
    for number, recipient, due_at, send_after in db.execute(_FRESH, (*bounds, limit)):
        values = recipient, current, due_at, send_after, number, MOST_BEFORE + 1
        found |= {one.key: one for one in rows.deliveries(db, _UP_TO, values, "delivery_waiting")}
    return list(found.values())[:limit]
