"""What the operator asks of the ledger: which deliveries, with their histories, newest first."""

import re
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mail_sender.ledger import rows
from mail_sender.ledger.base import Attempt, Entry, Query
from mail_sender.ledger.states import State


def where(query: Query, before: int | None = None) -> tuple[str, list[Any]]:
    """Return the WHERE clause of a query, and the values to bind; `d` is the delivery, `m` its message."""
    conditions, values = ["1"], list[Any]()
    if query.states != frozenset(State):
        conditions.append(f"d.state IN {rows.listed(query.states)}")
        values += sorted(query.states)
    if query.recipient is not None:
        conditions.append("d.recipient = ? COLLATE NOCASE")
        values.append(query.recipient)
    if query.message is not None:
        if not re.fullmatch(r"[0-9a-f-]{1,36}", query.message):
            return "WHERE 0", []
        conditions.append("m.id >= ? AND m.id < ?")
        values += [query.message, f"{query.message}g"]
    if query.due_by is not None:
        conditions.append("d.next_attempt <= ?")
        values.append(rows.micros(query.due_by))
    if query.last_verdict is not None:
        last = "SELECT a.verdict FROM attempt a WHERE a.delivery = d.number ORDER BY a.number DESC LIMIT 1"
        conditions.append(f"({last}) = ?")
        values.append(query.last_verdict)
    if before is not None:
        conditions.append("d.number < ?")
        values.append(before)
    return f"WHERE {' AND '.join(conditions)}", values


def find(db: sqlite3.Connection, query: Query, limit: int, before: int | None) -> list[Entry]:
    """Return the deliveries that a query means, newest first."""
    condition, values = where(query, before)
    found = db.execute(
        f"SELECT {rows.COLUMNS}, {rows.OF_AN_ENTRY} "
        f"FROM delivery d JOIN message m ON m.number = d.message {condition} ORDER BY d.number DESC LIMIT ?",
        [*values, limit],
    ).fetchall()
    histories = _histories(db, [row[rows.WIDTH] for row in found])
    return [rows.entry(row, histories.get(row[rows.WIDTH], ())) for row in found]


def accepted(db: sqlite3.Connection, since: datetime) -> list[tuple[str, datetime]]:
    """Return to whom mails went, or may have gone, by attempts that began since then, and when these ended."""
    found = db.execute(
        "SELECT d.recipient, a.at, a.seconds FROM attempt a JOIN delivery d ON d.number = a.delivery "
        "WHERE a.at >= ? AND a.verdict IN ('accepted', 'uncertain') ORDER BY a.at, a.number",
        (rows.micros(since),),
    )
    return rows.ends(found)


def _histories(db: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, tuple[Attempt, ...]]:
    found: dict[int, tuple[Attempt, ...]] = {}
    for chunk in rows.chunks([str(number) for number in numbers]):
        select = f"SELECT {rows.OF_A_LINE} FROM attempt WHERE delivery IN ({','.join(chunk)}) ORDER BY number"
        found |= rows.histories(db.execute(select))
    return found
