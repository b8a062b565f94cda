"""Settle: what a delivery becomes after a verdict, or after a crash.

All functions are pure: of the delivery, the verdict, the time, the limits and the dice.

    verdict      the delivery becomes                                   counts as an attempt
    accepted     sent                                                   yes
    refused      failed                                                 yes
    deferred     queued, due after a retry wait; abandoned when         yes
                 `message_retries` retries are used up
    throttled    queued, and due again shortly; if only this mail is    no
                 told so, in a while
    relay down   queued, and due as before; if the connection broke     no
                 during this mail, others go first
    uncertain    queued, and the same mail goes once more after a       no (`ambiguous` counts it)
                 while; the second time unknown

A delivery that may have arrived is never called failed, abandoned, expired or withdrawn, but unknown.

A retry wait comes from `mail_sender.backoff`, or is what the relay asks for, if that is longer. A wait that would
outlast the delivery's deadline ends two minutes before it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from mail_sender.backoff import AMBIGUOUS_WAIT, LAST_CHANCE, MAKE_WAY, RETRY_WAITS, STEP_BACK, Dice, retry_wait
from mail_sender.ledger.base import Attempt, Delivery, Outcome
from mail_sender.ledger.states import FINAL, State
from mail_sender.relay.refusals import asked_wait
from mail_sender.sender.config import RetryConfig
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Reply, Stage, Throttled, Uncertain, Verdict

MOST_AMBIGUOUS = 1
"""How often a delivery that may have arrived is sent once more."""


def outcome(delivery: Delivery, verdict: Verdict, now: datetime, retry: RetryConfig, dice: Dice) -> Outcome:
    """Return what the verdict makes of the delivery."""
    counted = replace(delivery.queued(now), attempts=delivery.attempts + 1)
    match verdict:
        case Accepted():
            return replace(counted, state=State.SENT)
        case Refused():
            return replace(counted, state=_ended(delivery, State.FAILED))
        case Deferred() if delivery.attempts >= retry.message_retries:
            return replace(counted, state=_ended(delivery, State.ABANDONED))
        case Deferred(_, reply):
            return replace(counted, next_attempt=_next_attempt(delivery, reply, now, dice))
        case Throttled() | RelayDown():
            return delivery.queued(_due_uncounted(delivery, verdict, now))
        case Uncertain():
            return _cut_at_the_dot(delivery, now)
        case _ as never:
            assert_never(never)


def interrupted(delivery: Delivery, now: datetime) -> Outcome:
    """Return what becomes of a delivery in flight whose process ended.

    A relay must drop a mail whose dot it did not see (RFC 5321, section 4.1.1.10).
    """
    return _cut_at_the_dot(delivery, now) if delivery.dot else delivery.queued(now)


def ended(delivery: Delivery, state: State, now: datetime) -> Outcome:
    """Return the end of a delivery that gets no further attempt."""
    return replace(delivery.queued(now), state=_ended(delivery, state))


def put_off(delivery: Delivery, now: datetime, wait: timedelta = timedelta(0)) -> Outcome:
    """Return a delivery that was not tried, due again after the wait."""
    return delivery.queued(now + wait)


def attempt(verdict: Verdict, at: datetime, seconds: float) -> Attempt:
    """Return the line of history that a verdict writes; `seconds` is how long the attempt took."""
    name = verdict.name
    match verdict:
        case Accepted(reply):
            return Attempt(at, Stage.DOT, name, reply.code, reply.text, seconds, reply.queue_id)
        case Refused(stage, reason, reply):
            return Attempt(at, stage or "render", name, *_reply(reply, reason), seconds)
        case Deferred(stage, reply) | Throttled(stage, reply):
            return Attempt(at, stage, name, reply.code, reply.text, seconds)
        case RelayDown(stage, detail, _, _, reply):
            return Attempt(at, stage, name, *_reply(reply, detail), seconds)
        case Uncertain(detail):
            return Attempt(at, Stage.DOT, name, None, detail, seconds)
        case _ as never:
            assert_never(never)


def _reply(reply: Reply | None, otherwise: str) -> tuple[int | None, str]:
    return (reply.code, reply.text) if reply else (None, otherwise)


def lost_track(delivery: Delivery, now: datetime) -> Attempt:
    """Return the line of history of an attempt whose process ended before its verdict."""
    where = "at the dot: it may have arrived" if delivery.dot else "before the dot: it was not sent"
    stage = Stage.DOT if delivery.dot else Stage.MAIL
    relay = delivery.imprint.relay if delivery.dot and delivery.imprint else None
    return Attempt(now, stage, "interrupted", None, f"mail-sender ended {where}", 0.0, relay=relay)


def not_written(at: datetime, relay: str) -> Attempt:
    """Return the line of history of a mail that was stopped before its dot, as the ledger could not be written."""
    text = "the ledger could not be written: it was not sent"
    return _stopped(at, text, relay)


def too_late(at: datetime, relay: str) -> Attempt:
    """Return the line of history of a mail that was stopped before its dot, as another sender may have taken over."""
    return _stopped(at, "mail-sender stood still before the dot for too long: it was not sent", relay)


def _stopped(at: datetime, text: str, relay: str) -> Attempt:
    return Attempt(at, Stage.BODY, "interrupted", None, text, 0.0, relay=relay)


def _ended(delivery: Delivery, state: State) -> State:
    return State.UNKNOWN if delivery.ambiguous and state in FINAL else state


def _cut_at_the_dot(delivery: Delivery, now: datetime) -> Outcome:
    found = replace(delivery.queued(now), ambiguous=delivery.ambiguous + 1)
    if delivery.ambiguous < MOST_AMBIGUOUS:
        return replace(found, next_attempt=now + AMBIGUOUS_WAIT)
    return replace(found, state=State.UNKNOWN)


def _due_uncounted(delivery: Delivery, verdict: Throttled | RelayDown, now: datetime) -> datetime:
    if isinstance(verdict, Throttled):
        return now + (STEP_BACK if verdict.is_own else MAKE_WAY)
    return now + STEP_BACK if verdict.stage.in_transaction else delivery.next_attempt


def _next_attempt(delivery: Delivery, reply: Reply, now: datetime, dice: Dice) -> datetime:
    wait = max(retry_wait(delivery.attempts, dice), asked_wait(reply))
    last = delivery.deadline - LAST_CHANCE
    return min(now + wait, last) if last > now + RETRY_WAITS[0] else now + wait
