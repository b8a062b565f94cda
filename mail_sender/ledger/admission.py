"""Admission: listed messages become queued deliveries, and a message that was un-sent is noticed.

1. A message that is not known gets a row, and one delivery for each recipient. A known one stays as it is.
2. A message that is still listed long (`LAGGING`) after it was marked, or after all its deliveries were withdrawn,
   was un-sent by somebody. That is written down, and reported once.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.message import Message

LAGGING = timedelta(minutes=15)
"""How long after its mark a message may still be listed, by a replica that has not heard of it."""

_WITHDRAWN_AT = (
    "SELECT CASE WHEN count(*) = sum(state = 'withdrawn') THEN max(changed_at) END "
    "FROM delivery WHERE message = m.number"
)
_KNOWN = (  # the last column: since when it should not be listed any more, unless that it is has been said
    "SELECT m.id, m.number, CASE WHEN m.unsent_at IS NOT NULL THEN NULL "
    f"WHEN m.marked_at IS NOT NULL THEN m.marked_at ELSE ({_WITHDRAWN_AT}) END FROM message m"
)


def admit(db: sqlite3.Connection, messages: Sequence[Message], now: datetime, max_age: timedelta) -> list[UUID]:
    """Write what is new of these messages; return those that are newly found un-sent."""
    by_id = {str(message.id): message for message in messages}
    known: dict[str, tuple[int, int | None]] = {}
    for ids in rows.chunks(list(by_id)):
        found = db.execute(f"{_KNOWN} WHERE m.id IN {rows.listed(ids)}", ids)
        known |= {id_: tuple(rest) for id_, *rest in found}
    for id_, message in by_id.items():
        if id_ not in known:
            _insert(db, message, now, max_age)
    lagging = rows.micros(now - LAGGING)
    unsent = [(id_, number) for id_, (number, left_at) in known.items() if left_at and left_at < lagging]
    db.executemany(
        "UPDATE message SET unsent_at = ? WHERE number = ?", [(rows.micros(now), row) for _, row in unsent]
    )
    return [by_id[id_].id for id_, _ in unsent]


def _insert(db: sqlite3.Connection, message: Message, now: datetime, max_age: timedelta) -> None:
    number = db.execute(
        "INSERT INTO message (id, kind, admitted_at, delete_after) VALUES (?, ?, ?, ?)",
        (str(message.id), message.content.kind, rows.micros(now), rows.micros(message.delete_after)),
    ).lastrowid
    deadline = min(message.deadline, now + max_age)
    send_after = rows.micros(message.send_after)
    db.executemany(
        "INSERT INTO delivery (message, recipient, state, send_after, deadline, next_attempt, changed_at) "
        "VALUES (?, ?, 'queued', ?, ?, ?, ?)",
        [
            (number, recipient, send_after, rows.micros(deadline), rows.micros(now), rows.micros(now))
            for recipient in message.recipients
        ],
    )
