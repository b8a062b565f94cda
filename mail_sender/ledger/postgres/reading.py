"""What is read of the ledger: one message, what is to be marked, and what the operator asks for."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.ledger.base import Delivery, Entry, Query
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.statement import Rows, Statement
from mail_sender.ledger.states import State
from mail_sender.names.address import mailbox

COLUMNS = rows.COLUMNS.replace("m.id", "m.id::text")
FROM = "FROM delivery d JOIN message m ON m.number = d.message"
_LINES = f"SELECT {rows.OF_A_LINE} FROM attempt WHERE delivery = ANY(%(numbers)s::bigint[]) ORDER BY number"
_ACCEPTED = (
    "SELECT d.recipient, a.at, a.seconds FROM attempt a JOIN delivery d ON d.number = a.delivery "
    "WHERE a.at >= %(since)s AND a.verdict IN ('accepted', 'uncertain') ORDER BY a.at, a.number"
)
_NEXT_DUE = "SELECT min(next_attempt) FROM delivery WHERE state = 'queued' AND next_attempt > %(now)s"


def of_message(message: UUID) -> Statement:
    """Read a message's deliveries."""
    return Statement(f"SELECT {COLUMNS} {FROM} WHERE m.id = %(id)s ORDER BY d.number", {"id": message})


def interrupted(replica: UUID) -> Statement:
    """Read what is processing although nobody works on it, or this replica does."""
    text = f"SELECT {COLUMNS} {FROM} WHERE {claims.INTERRUPTED} ORDER BY d.number"
    return Statement(text, claims.values(replica))


def next_due(now: datetime) -> Statement:
    """Read when the next delivery will be due."""
    return Statement(_NEXT_DUE, {"now": rows.micros(now)})


def accepted(since: datetime) -> Statement:
    """Read to whom mails went by attempts since then, with when these began and how long they took."""
    return Statement(_ACCEPTED, {"since": rows.micros(since)})


def find(query: Query, limit: int, before: int | None) -> Statement:
    """Read the deliveries that a query means, newest first."""
    condition, values = _where(query, before)
    text = f"SELECT {COLUMNS}, {rows.OF_AN_ENTRY} {FROM} WHERE {condition} ORDER BY d.number DESC LIMIT %(limit)s"
    return Statement(text, {**values, "limit": limit})


def histories(found: Rows) -> Statement:
    """Read the histories of what was found."""
    return Statement(_LINES, {"numbers": [row[rows.WIDTH] for row in found]})


def count(query: Query) -> Statement:
    """Count the deliveries that a query means, by state."""
    condition, values = _where(query, None)
    return Statement(f"SELECT d.state, count(*) {FROM} WHERE {condition} GROUP BY d.state", values)


def deliveries(found: Rows) -> list[Delivery]:
    """Return the deliveries that stand in rows."""
    return [rows.delivery(row) for row in found]


def entries(found: Rows, lines: Rows) -> list[Entry]:
    """Return deliveries with their histories."""
    histories = rows.histories(lines)
    return [rows.entry(row, histories.get(row[rows.WIDTH], ())) for row in found]


def _where(query: Query, before: int | None) -> tuple[str, dict[str, Any]]:
    conditions, values = ["true"], dict[str, Any]()
    if query.states != frozenset(State):
        conditions.append("d.state = ANY(%(states)s::text[])")
        values["states"] = sorted(state.value for state in query.states)
    if query.recipient is not None:
        conditions.append("d.mailbox = %(mailbox)s")
        values["mailbox"] = mailbox(query.recipient)
    if query.message is not None:
        if (between := _ids(query.message)) is None:
            return "false", {}
        conditions.append("m.id BETWEEN %(first)s AND %(last)s")
        values["first"], values["last"] = between
    if query.due_by is not None:
        conditions.append("d.next_attempt <= %(due_by)s")
        values["due_by"] = rows.micros(query.due_by)
    if query.last_verdict is not None:
        last = "SELECT a.verdict FROM attempt a WHERE a.delivery = d.number ORDER BY a.number DESC LIMIT 1"
        conditions.append(f"({last}) = %(last_verdict)s")
        values["last_verdict"] = query.last_verdict
    if before is not None:
        conditions.append("d.number < %(before)s")
        values["before"] = before
    return " AND ".join(conditions), values


_ID = "00000000-0000-0000-0000-000000000000"


def _ids(start: str) -> tuple[UUID, UUID] | None:
    """Return the first and the last id that start so; none if no id does."""
    first, last = (start + _ID.replace("0", digit)[len(start) :] for digit in "0f")
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first):
        return None
    return UUID(first), UUID(last)
