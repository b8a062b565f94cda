"""What a delivery becomes after each verdict."""

from datetime import timedelta

import pytest

from mail_sender.ledger.base import Outcome
from mail_sender.ledger.states import State
from mail_sender.settle import AMBIGUOUS_WAIT, RETRY_WAITS, STEP_BACK, outcome
from mail_sender.verdict import Accepted, Deferred, LaneDown, Refused, Reply, Stage, Uncertain, Verdict
from tests.unit.samples import NOW, delivery

OK, NO, LATER = Reply(250, "ok"), Reply(550, "5.1.1 no"), Reply(450, "4.2.0 later")

BEFORE = NOW - timedelta(1)
TABLE: list[tuple[Verdict, int, Outcome]] = [
    (Accepted(OK), 0, Outcome(State.SENT, NOW, 4, 0)),
    (Accepted(OK), 1, Outcome(State.SENT, NOW, 4, 1)),
    (Refused(Stage.RCPT, "refused", NO), 0, Outcome(State.FAILED, NOW, 4, 0)),
    (Refused(None, "no mail"), 1, Outcome(State.FAILED, NOW, 4, 1)),
    (Deferred(Stage.DOT, LATER), 0, Outcome(State.QUEUED, NOW + RETRY_WAITS[3], 4, 0)),
    (Deferred(Stage.RCPT, LATER), 1, Outcome(State.QUEUED, NOW + RETRY_WAITS[3], 4, 1)),
    (LaneDown(Stage.AUTH, "x", "y", lasting=True), 0, Outcome(State.QUEUED, BEFORE, 3, 0)),
    (LaneDown(Stage.CONNECT, "x", "y", lasting=False), 1, Outcome(State.QUEUED, BEFORE, 3, 1)),
    (LaneDown(Stage.RCPT, "x", "y", lasting=False), 0, Outcome(State.QUEUED, NOW + STEP_BACK, 3, 0)),
    (LaneDown(Stage.BODY, "x", "y", lasting=False), 1, Outcome(State.QUEUED, NOW + STEP_BACK, 3, 1)),
    (Uncertain("cut"), 0, Outcome(State.QUEUED, NOW + AMBIGUOUS_WAIT, 3, 1)),
    (Uncertain("cut"), 1, Outcome(State.UNKNOWN, NOW, 3, 2)),
    (Uncertain("cut"), 2, Outcome(State.UNKNOWN, NOW, 3, 3)),
]


@pytest.mark.parametrize(("verdict", "ambiguous", "expected"), TABLE)
def test_a_verdict_makes_one_outcome(verdict: Verdict, ambiguous: int, expected: Outcome) -> None:
    """The relay's word counts as an attempt, faults of the way do not, and a cut at the dot is repaired once."""
    found = delivery(state=State.PROCESSING, next_attempt=BEFORE, attempts=3, ambiguous=ambiguous)
    assert outcome(found, verdict, NOW) == expected


def test_what_may_have_arrived_waits_two_minutes() -> None:
    """A copy is sent at the earliest when the relay has had time to say that it has the first."""
    assert timedelta(minutes=2) == AMBIGUOUS_WAIT
