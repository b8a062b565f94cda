"""Settle: what a delivery becomes after a verdict.

A pure function of (delivery, verdict, now). The relay's word on this recipient or message counts as an attempt;
faults of the way do not. Where the way breaks under a letter, another letter tries it next. A mail that was cut off
at the dot may have arrived: it goes out once more, after a while, and a second time is never repaired by a third.
"""

from datetime import datetime, timedelta
from typing import assert_never

from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import State
from mail_sender.verdict import Accepted, Deferred, LaneDown, Refused, Stage, Uncertain, Verdict

RETRY_WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 60, 120, 300, 600, 900))
"""How long a delivery waits after its first transient refusal, its second, and so on; the last one repeats."""
AMBIGUOUS_WAIT = timedelta(minutes=2)
STEP_BACK = timedelta(minutes=2)
"""How long a delivery lets others go first, after the lane broke while it was under way: it may be what breaks it."""
MOST_AMBIGUOUS = 1
"""How often a delivery that may have arrived is sent once more."""


_UNDER_A_LETTER = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY})


def out_of_time(delivery: Delivery) -> State:
    """Return what a delivery becomes when its time runs out: what may have arrived is not called expired."""
    return State.UNKNOWN if delivery.ambiguous else State.EXPIRED


def outcome(delivery: Delivery, verdict: Verdict, now: datetime) -> Outcome:
    """Return what the verdict makes of the delivery."""
    attempts, ambiguous = delivery.attempts, delivery.ambiguous
    match verdict:
        case Accepted():
            return Outcome(State.SENT, now, attempts + 1, ambiguous)
        case Refused():
            return Outcome(State.FAILED, now, attempts + 1, ambiguous)
        case Deferred():
            wait = RETRY_WAITS[min(attempts, len(RETRY_WAITS) - 1)]
            return Outcome(State.QUEUED, now + wait, attempts + 1, ambiguous)
        case LaneDown(stage):
            due = now + STEP_BACK if stage in _UNDER_A_LETTER else delivery.next_attempt
            return Outcome(State.QUEUED, due, attempts, ambiguous)
        case Uncertain() if ambiguous < MOST_AMBIGUOUS:
            return Outcome(State.QUEUED, now + AMBIGUOUS_WAIT, attempts, ambiguous + 1)
        case Uncertain():
            return Outcome(State.UNKNOWN, now, attempts, ambiguous + 1)
        case _ as never:
            assert_never(never)
