"""A delivery's move from one state to the next: checked, written, and its message completed by it.

A change names the claim under which its delivery was read. Nothing is changed if the row has another claim by now
(`Fenced`), or if the move between the two states is not allowed (`IllegalMove`).
"""

import sqlite3
from datetime import datetime

from mail_sender.ledger import rows, states
from mail_sender.ledger.base import Attempt, Delivery, Fenced, Outcome
from mail_sender.ledger.states import FINAL, State

MOST_ATTEMPTS_KEPT = 50
"""Lines of history for each delivery; the first of more are dropped."""


def checked(
    db: sqlite3.Connection, delivery: Delivery, new: State, moves: frozenset[tuple[State, State]] = states.MOVES
) -> tuple[int, int]:
    """Return the numbers of a delivery's row and of its message's, if it may become what it is to become."""
    row = db.execute(
        "SELECT d.number, d.message, d.state, d.claim FROM delivery d JOIN message m ON m.number = d.message "
        "WHERE d.recipient = ? AND m.id = ?",
        rows.key(delivery),
    ).fetchone()
    if row is None or row[3] != delivery.claim:
        raise Fenced
    number, message, state, _ = row
    states.check(State(state), new, moves)
    return number, message


def move(
    db: sqlite3.Connection,
    delivery: Delivery,
    outcome: Outcome,
    now: datetime,
    attempt: Attempt | None,
    moves: frozenset[tuple[State, State]] = states.MOVES,
) -> tuple[int, int]:
    """Write what a delivery becomes, and its line of history; return the numbers as `checked` does."""
    number, message = checked(db, delivery, outcome.state, moves)
    counts = outcome.attempts, outcome.ambiguous, outcome.copy
    db.execute(
        "UPDATE delivery SET state = ?, dot = 0, next_attempt = ?, attempts = ?, ambiguous = ?, copy = ?, "
        "changed_at = ? WHERE number = ?",
        (outcome.state.value, rows.micros(outcome.next_attempt), *counts, rows.micros(now), number),
    )
    if attempt is not None:
        _add_attempt(db, number, attempt)
    return number, message


def _add_attempt(db: sqlite3.Connection, number: int, attempt: Attempt) -> None:
    """Write a line of a delivery's history, and drop the oldest of more than `MOST_ATTEMPTS_KEPT`."""
    said = attempt.stage, attempt.verdict, attempt.code, attempt.reply
    db.execute(
        "INSERT INTO attempt (delivery, at, stage, verdict, code, reply, seconds, relay) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, rows.micros(attempt.at), *said, attempt.seconds, attempt.relay),
    )
    if attempt.queue_id is not None:
        db.execute("UPDATE delivery SET queue_id = ? WHERE number = ?", (attempt.queue_id, number))
    db.execute(
        "DELETE FROM attempt WHERE delivery = ?1 AND number <= "
        "(SELECT number FROM attempt WHERE delivery = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        (number, MOST_ATTEMPTS_KEPT),
    )


def complete(db: sqlite3.Connection, message: int, now: datetime) -> bool:
    """Keep `complete_at` true to the message's deliveries; say whether the message is to be marked as sent now."""
    found = {State(state) for (state,) in db.execute("SELECT state FROM delivery WHERE message = ?", (message,))}
    complete = State.SENT in found and found <= FINAL
    before, marked = db.execute("SELECT complete_at, marked_at FROM message WHERE number = ?", (message,)).fetchone()
    if complete != (before is not None):
        complete_at = rows.micros(now) if complete else None
        db.execute("UPDATE message SET complete_at = ? WHERE number = ?", (complete_at, message))
    return complete and before is None and marked is None
