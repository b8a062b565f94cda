"""A delivery's move from one state to the next: checked, written, and its message completed by it.

A change names the claim and the state in which its delivery was read. Nothing is changed if the row has others by now
(`Fenced`), or if the move between the two states is not allowed (`IllegalMove`). Each raises before it writes: then
nothing has to be undone.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from mail_sender.ledger import rows, states
from mail_sender.ledger.base import Attempt, Delivery, Fenced, Imprint, Outcome
from mail_sender.ledger.states import FINAL, OPEN, State

MOST_ATTEMPTS_KEPT = 50
"""Lines of history for each delivery; the first of more are dropped."""


_ROW = "recipient = ? AND message = (SELECT number FROM message WHERE id = ?)"
_AS_READ = f"{_ROW} AND claim = ? AND state = ?"
_BEGIN = f"UPDATE delivery SET state = 'processing', claim = ? WHERE {_AS_READ}"
_DOT = (
    "UPDATE delivery SET dot = 1, message_id = ?, date = ?, digest = ?, relay = ? "
    f"WHERE {_ROW} AND claim = ? AND state = 'processing'"
)
_MOVE = (
    "UPDATE delivery SET state = ?, dot = 0, next_attempt = ?, attempts = ?, ambiguous = ?, copy = ?, "
    f"changed_at = ?, claim = claim + ?, queue_id = ifnull(?, queue_id) WHERE {_AS_READ}"
)
_LINE = (
    "INSERT INTO attempt (delivery, at, stage, verdict, code, reply, seconds, relay) "
    f"SELECT number, ?, ?, ?, ?, ?, ?, ? FROM delivery WHERE {_ROW}"
)
_DROP_LINES = (
    "DELETE FROM attempt WHERE delivery = ?1 AND number <= "
    "(SELECT number FROM attempt WHERE delivery = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)"
)
# The plus keeps SQLite, which knows nothing of a ledger's length, from going through all that was ever sent.
_SENT = "EXISTS (SELECT 1 FROM delivery WHERE message = message.number AND +state = 'sent')"
_OPEN = f"SELECT 1 FROM delivery WHERE message = message.number AND +state IN {tuple(sorted(map(str, OPEN)))}"
_COMPLETE = (
    f"UPDATE message SET complete_at = ? WHERE id = ? AND complete_at IS NULL AND {_SENT} AND NOT EXISTS ({_OPEN})"
)
_MARK = f"UPDATE message SET marked_at = ?, unsent_at = NULL WHERE id = ? AND {_SENT}"


def begin(db: sqlite3.Connection, delivery: Delivery, claim: int) -> None:
    """Write that a delivery is claimed under this number. Raises `Fenced`."""
    if db.execute(_BEGIN, (claim, *_as_read(delivery))).rowcount != 1:
        raise Fenced


def dot(db: sqlite3.Connection, delivery: Delivery, imprint: Imprint) -> None:
    """Write that the dot may be out from here on. Raises `Fenced`."""
    written = imprint.message_id, rows.micros(imprint.date), imprint.digest, imprint.relay
    if db.execute(_DOT, (*written, *rows.key(delivery), delivery.claim)).rowcount != 1:
        raise Fenced


def move(
    db: sqlite3.Connection, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None
) -> bool:
    """Write what a delivery becomes, and its line of history; say whether its message has become unmarked by it."""
    states.check(delivery.state, outcome.state)
    _write(db, delivery, outcome, now, attempt)
    return outcome.state in FINAL and _complete(db, delivery, now)


def command(
    db: sqlite3.Connection, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None
) -> None:
    """Write what the operator wants of a delivery, under a new claim."""
    states.check(delivery.state, outcome.state, states.COMMANDS)
    _write(db, delivery, outcome, now, attempt, claims=1)
    id_ = str(delivery.message)
    if outcome.copy > delivery.copy:
        # Somebody un-sent it: it is marked again after the copy.
        clear = "UPDATE message SET marked_at = NULL, unsent_at = NULL WHERE id = ? AND unsent_at IS NOT NULL"
        db.execute(clear, (id_,))
    if outcome.state in OPEN:
        db.execute("UPDATE message SET complete_at = NULL WHERE id = ? AND complete_at IS NOT NULL", (id_,))
    else:
        _complete(db, delivery, now)


def mark(db: sqlite3.Connection, messages: Iterable[UUID], now: datetime) -> None:
    """Write that the server knows these messages to be sent, as far as one of their deliveries is."""
    at = rows.micros(now)
    db.executemany(_MARK, [(at, str(message)) for message in messages])


def _write(
    db: sqlite3.Connection,
    delivery: Delivery,
    outcome: Outcome,
    now: datetime,
    attempt: Attempt | None,
    claims: int = 0,
) -> None:
    counts = outcome.attempts, outcome.ambiguous, outcome.copy
    queue_id = attempt.queue_id if attempt else None
    values = outcome.state.value, rows.micros(outcome.next_attempt), *counts, rows.micros(now), claims, queue_id
    if db.execute(_MOVE, (*values, *_as_read(delivery))).rowcount != 1:
        raise Fenced
    if attempt is None:
        return
    said = attempt.stage, attempt.verdict, attempt.code, attempt.reply, attempt.seconds, attempt.relay
    line = db.execute(_LINE, (rows.micros(attempt.at), *said, *rows.key(delivery))).lastrowid
    if outcome.state is not State.SENT:  # after that line comes none, but for a copy's
        of = db.execute("SELECT delivery FROM attempt WHERE number = ?", (line,)).fetchone()[0]
        db.execute(_DROP_LINES, (of, MOST_ATTEMPTS_KEPT))


def _complete(db: sqlite3.Connection, delivery: Delivery, now: datetime) -> bool:
    """Write that all deliveries of a message are final, one of them sent; say whether it is to be marked now."""
    values = rows.micros(now), str(delivery.message)
    if db.execute(f"{_COMPLETE} AND marked_at IS NULL", values).rowcount == 1:
        return True
    db.execute(_COMPLETE, values)  # of a message that is marked already: for another recipient, or an earlier copy
    return False


def _as_read(delivery: Delivery) -> tuple[str, str, int, str]:
    return *rows.key(delivery), delivery.claim, delivery.state.value
