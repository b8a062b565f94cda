"""Admission, as on SQLite (`ledger.admission`), in three statements: messages, their deliveries, those un-sent.

1. A message that is not known gets a row, and one delivery for each recipient, in the order in which they came. What
   another replica takes up at the same time is left to it. If anything is new, the others get news of it.
2. A message that is still listed long after it was marked, or after all its deliveries were withdrawn, was un-sent by
   somebody. Those that are newly found so are returned.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.ledger.admission import LAGGING
from mail_sender.ledger.postgres.statement import Rows, Statement, asked
from mail_sender.message import Message
from mail_sender.names.address import mailbox

_TOGETHER = 1_000  # messages in one transaction

_MESSAGES = f"""
    INSERT INTO message (id, kind, admitted_at, delete_after)
    SELECT id, kind, %(now)s, delete_after
    FROM {asked(n="int", id="uuid", kind="text", delete_after="bigint")}
    WHERE NOT EXISTS (SELECT FROM message known WHERE known.id = asked.id)
    ORDER BY n
    ON CONFLICT (id) DO NOTHING
    """
_DELIVERIES = (  # a message has its deliveries from its first transaction on: one without any is new
    f"""
    WITH new AS (
        INSERT INTO delivery
            (message, recipient, mailbox, state, send_after, deadline, next_attempt, changed_at)
        SELECT m.number, recipient, mailbox, 'queued', send_after, deadline, %(now)s, %(now)s
        FROM {asked(n="int", id="uuid", recipient="text", mailbox="text", send_after="bigint", deadline="bigint")}
        JOIN message m ON m.id = asked.id
        WHERE NOT EXISTS (SELECT FROM delivery known WHERE known.message = m.number)
        ORDER BY n
        ON CONFLICT (message, recipient) DO NOTHING
        RETURNING message
    )
    SELECT pg_notify(%(channel)s, %(news)s) FROM new LIMIT 1
    """
)
_UNSENT = """
    UPDATE message m SET unsent_at = %(now)s
    WHERE m.id = ANY(%(ids)s::uuid[]) AND m.unsent_at IS NULL AND coalesce(m.marked_at, (
        SELECT CASE WHEN bool_and(d.state = 'withdrawn') THEN max(d.changed_at) END
        FROM delivery d WHERE d.message = m.number
    )) < %(lagging)s
    RETURNING m.id
    """
_OLD = "SELECT number, id FROM message WHERE delete_after < %(before)s"
_FORGET = "DELETE FROM message WHERE number = ANY(%(numbers)s::bigint[])"


def parts(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Yield messages, each once, in bundles that one transaction takes up."""
    yield from rows.chunks(list({message.id: message for message in messages}.values()), _TOGETHER)


def admit(
    messages: Sequence[Message], now: datetime, max_age: timedelta, news: Mapping[str, object]
) -> list[Statement]:
    """Write what is new of these messages, with `news` of it; the last statement returns what is newly un-sent."""
    at, aged = rows.micros(now), now + max_age
    new = {
        "now": at,
        "n": list(range(len(messages))),
        "id": [message.id for message in messages],
        "kind": [message.content.kind for message in messages],
        "delete_after": [rows.micros(message.delete_after) for message in messages],
    }
    each = [(message, recipient) for message in messages for recipient in message.recipients]
    deliveries = {
        **news,
        "now": at,
        "n": list(range(len(each))),
        "id": [message.id for message, _ in each],
        "recipient": [recipient for _, recipient in each],
        "mailbox": [mailbox(recipient) for _, recipient in each],
        "send_after": [rows.micros(message.send_after) for message, _ in each],
        "deadline": [rows.micros(min(message.deadline, aged)) for message, _ in each],
    }
    lagging = {"now": at, "ids": new["id"], "lagging": rows.micros(now - LAGGING)}
    return [Statement(_MESSAGES, new), Statement(_DELIVERIES, deliveries), Statement(_UNSENT, lagging)]


def old(before: datetime) -> Statement:
    """Return the numbers and ids of messages that the server should have deleted before that."""
    return Statement(_OLD, {"before": rows.micros(before)})


def forget(found: Rows, keep: Container[UUID]) -> Statement:
    """Drop messages, as `old` names them, except for what is to be kept."""
    return Statement(_FORGET, {"numbers": [number for number, id_ in found if id_ not in keep]})
