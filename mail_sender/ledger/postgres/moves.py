"""A delivery's move from one state to the next: checked, written, and its message completed by it.

1. The messages are locked, in the order of their numbers: of two replicas that end the last two deliveries of one
   message, the second one sees what the first one wrote.
2. A row is changed if it has the claim and the state in which it was read, and if it is nobody else's claim. A claim
   whose lease ran out may be settled by another replica, but only if its dot is still as it was read: what is decided
   of it depends on that. From then on whoever had the claim is fenced, as the row is not processing under that number
   any more.
3. Whoever comes back from a stop, and knows that the relay took the mail, may still say so, as long as nobody has
   claimed the delivery again: otherwise a copy would go, of which one process alone would know better.
4. The line of history is written with it; the oldest of more than `MOST_ATTEMPTS_KEPT` are dropped.
5. `complete_at` is kept true to the message's deliveries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.ledger.base import Attempt, Delivery, Outcome
from mail_sender.ledger.moves import MOST_ATTEMPTS_KEPT
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.statement import Statement, asked, words
from mail_sender.ledger.states import FINAL


@dataclass(frozen=True, slots=True)
class Move:
    """What a delivery is to become, and the line of history that says so; `is_command` if the operator wants it."""

    delivery: Delivery
    outcome: Outcome
    now: datetime
    attempt: Attempt | None
    is_command: bool = False


_LOCK = "SELECT number FROM message WHERE id = ANY(%(messages)s::uuid[]) ORDER BY number FOR NO KEY UPDATE"
_ASKED = asked(
    n="int", message="uuid", recipient="text", claim="bigint", was="text", dot="bool", state="text",
    next_attempt="bigint", attempts="bigint", ambiguous="bigint", copy="bigint", is_copy="bool", now="bigint",
    queue_id="text", at="bigint", stage="text", verdict="text", code="bigint", reply="text",
    seconds="float8", relay="text",
)  # fmt: skip


_IS_FREE = f"(d.state <> 'processing' OR d.replica = %(replica)s OR d.dot = asked.dot AND {claims.IS_OVER})"
_IS_LATE = (
    "(asked.was = 'processing' AND asked.state = 'sent' AND d.taken_from = %(replica)s "
    "AND d.state IN ('queued', 'unknown'))"
)


def _move(step: str) -> str:
    """Return the statement; `step` is by how much the claim grows."""
    return f"""
        WITH asked AS (
            SELECT asked.*, m.number AS message_number FROM {_ASKED} JOIN message m ON m.id = asked.message
        ), moved AS (
            UPDATE delivery d
            SET state = asked.state, dot = false, replica = NULL, lease_until = NULL, claim = d.claim + {step},
                taken_from = CASE WHEN d.dot AND d.replica <> %(replica)s THEN d.replica ELSE d.taken_from END,
                next_attempt = asked.next_attempt, attempts = asked.attempts, ambiguous = asked.ambiguous,
                copy = asked.copy, queue_id = coalesce(asked.queue_id, d.queue_id), changed_at = asked.now
            FROM asked
            WHERE d.message = asked.message_number AND d.recipient = asked.recipient AND d.claim = asked.claim
                AND (d.state = asked.was AND {_IS_FREE} OR {_IS_LATE})
            RETURNING asked.n, d.number
        ), noted AS (
            INSERT INTO attempt (delivery, at, stage, verdict, code, reply, seconds, relay)
            SELECT moved.number, at, stage, verdict, code, reply, seconds, relay
            FROM moved JOIN asked USING (n) WHERE at IS NOT NULL ORDER BY n
        ), dropped AS (
            DELETE FROM attempt USING moved JOIN asked USING (n)
            WHERE asked.at IS NOT NULL AND attempt.delivery = moved.number AND attempt.number <= (
                SELECT kept.number FROM attempt kept WHERE kept.delivery = moved.number
                ORDER BY kept.number DESC LIMIT 1 OFFSET {MOST_ATTEMPTS_KEPT - 1}
            )
        ), sent_again AS (
            UPDATE message SET marked_at = NULL, unsent_at = NULL FROM moved JOIN asked USING (n)
            WHERE message.number = asked.message_number AND asked.is_copy AND message.unsent_at IS NOT NULL
        )
        SELECT n FROM moved
        """


_SETTLE = _move("0")
_COMMAND = _move("1")
_COMPLETE = f"""
    WITH asked AS (
        SELECT message, max(now) AS now FROM {asked(message="uuid", now="bigint")} GROUP BY message
    ), found AS (
        SELECT m.number, m.id, asked.now, m.complete_at IS NULL AND m.marked_at IS NULL AS is_new,
            bool_or(d.state = 'sent') AND bool_and(d.state IN {words(FINAL)}) AS complete
        FROM asked JOIN message m ON m.id = asked.message JOIN delivery d ON d.message = m.number
        GROUP BY m.number, asked.now
    ), changed AS (
        UPDATE message m SET complete_at = CASE WHEN found.complete THEN found.now END, completed_by = %(replica)s
        FROM found WHERE m.number = found.number AND found.complete <> (m.complete_at IS NOT NULL)
    )
    SELECT id FROM found WHERE complete AND is_new
    """


def lock(messages: Sequence[UUID]) -> Statement:
    """Lock messages until the transaction ends."""
    return Statement(_LOCK, {"messages": list(messages)})


def move(moves: Sequence[tuple[int, Move]], replica: UUID, *, are_commands: bool) -> Statement:
    """Write what deliveries become, each with a number in this batch; the numbers of those that do are returned."""
    outcomes = [(move.delivery, move.outcome) for _, move in moves]
    lines = [move.attempt for _, move in moves]
    columns = {
        **claims.values(replica),
        **claims.keys([(n, move.delivery) for n, move in moves]),
        "was": [delivery.state.value for delivery, _ in outcomes],
        "dot": [delivery.dot for delivery, _ in outcomes],
        "state": [outcome.state.value for _, outcome in outcomes],
        "next_attempt": [rows.micros(outcome.next_attempt) for _, outcome in outcomes],
        "attempts": [outcome.attempts for _, outcome in outcomes],
        "ambiguous": [outcome.ambiguous for _, outcome in outcomes],
        "copy": [outcome.copy for _, outcome in outcomes],
        "is_copy": [are_commands and outcome.copy > delivery.copy for delivery, outcome in outcomes],
        "now": [rows.micros(move.now) for _, move in moves],
        "at": [None if line is None else rows.micros(line.at) for line in lines],
        **{name: [getattr(line, name, None) for line in lines] for name in _OF_A_LINE},
    }
    return Statement(_COMMAND if are_commands else _SETTLE, columns)


_OF_A_LINE = ("queue_id", "stage", "verdict", "code", "reply", "seconds", "relay")


def complete(moves: Sequence[Move], replica: UUID) -> Statement:
    """Keep `complete_at` true; the messages that are to be marked as sent from now on are returned.

    This replica has them in hand (`marks`).
    """
    messages = [move.delivery.message for move in moves]
    times = [rows.micros(move.now) for move in moves]
    return Statement(_COMPLETE, {"message": messages, "now": times, "replica": replica})
