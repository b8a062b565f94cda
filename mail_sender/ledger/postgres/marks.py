"""Which messages are to be marked as sent, by which of several replicas, and that they are.

1. Whoever writes the last outcome of a message has its mark in hand. Others do not ask the server for the same.
2. What a replica has in hand that is not seen any more is shared by the others, each its part by a hash.
3. So is what has been unmarked for `LONG`, whoever has it in hand: it may live, and not reach the server.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.due import Reader, part
from mail_sender.ledger.postgres.statement import Statement

LONG = timedelta(minutes=2)
"""What is unmarked for so long is marked by others, too: once too often does no harm."""

_IS_UNMARKED = "m.complete_at IS NOT NULL AND m.marked_at IS NULL AND m.delete_after > %(now)s"
_FIRST = "ORDER BY m.complete_at, m.number LIMIT %(limit)s"
_UNMARKED = f"SELECT id FROM message m WHERE {_IS_UNMARKED} {_FIRST}"
_TO_MARK = f"""
    SELECT id FROM message m WHERE {_IS_UNMARKED} AND (
        m.completed_by = %(replica)s
        OR {part("m.id::text")} = %(place)s AND (
            m.complete_at <= %(long)s
            OR NOT EXISTS (SELECT FROM replica r WHERE r.id = m.completed_by AND {claims.is_seen()})
        )
    ) {_FIRST}
    """
_MARKED = """
    UPDATE message m SET marked_at = %(now)s, unsent_at = NULL WHERE id = ANY(%(ids)s::uuid[])
        AND EXISTS (SELECT FROM delivery d WHERE d.message = m.number AND d.state = 'sent')
    """


def unmarked(now: datetime, limit: int | None) -> Statement:
    """Read the messages that are not marked as sent."""
    return Statement(_UNMARKED, {"now": rows.micros(now), "limit": limit})


def to_mark(reader: Reader, now: datetime, limit: int) -> Statement:
    """Read those of them that a replica is to mark."""
    values = {"now": rows.micros(now), "long": rows.micros(now - LONG), "limit": limit}
    return Statement(_TO_MARK, {**values, **reader.values})


def marked(messages: Sequence[UUID], now: datetime) -> Statement:
    """Write that the server knows of messages, as far as one of their deliveries is sent."""
    return Statement(_MARKED, {"now": rows.micros(now), "ids": list(messages)})
