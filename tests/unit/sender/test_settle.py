"""What a delivery becomes after each verdict, and after a crash."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.backoff import AMBIGUOUS_WAIT, LONGEST_WAIT, MAKE_WAY, PUT_OFF, RETRY_WAITS, STEP_BACK
from mail_sender.ledger.base import Attempt, Delivery, Outcome
from mail_sender.ledger.states import MOVES, State
from mail_sender.sender import settle
from mail_sender.sender.config import RetryConfig
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Reply, Stage, Throttled, Uncertain, Verdict
from tests.support.samples import CUT, DAY, DOWN, HOUR, IMPRINT, LATER, MINUTE, NO, NOW, OK, SECOND, delivery

BEFORE = NOW - DAY
RETRY = RetryConfig(message_retries=5)
IN_TRANSACTION = [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY, Stage.DOT]


def even() -> float:
    """Roll the dice so that a wait is neither longer nor shorter."""
    return 0.5


def outcome(found: Delivery, verdict: Verdict, now: datetime = NOW, retry: RetryConfig = RETRY) -> Outcome:
    """Return what a verdict makes of a delivery, with even dice."""
    return settle.outcome(found, verdict, now, retry, even)


def in_flight(**rest: Any) -> Delivery:
    """Return a delivery in flight that was tried three times."""
    return delivery(state=State.PROCESSING, **{"next_attempt": BEFORE, "attempts": 3, "copy": 2, **rest})


TABLE: list[tuple[Verdict, int, Outcome]] = [
    (OK, 0, Outcome(State.SENT, NOW, 4, 0, 2)),
    (OK, 1, Outcome(State.SENT, NOW, 4, 1, 2)),
    (NO, 0, Outcome(State.FAILED, NOW, 4, 0, 2)),
    (NO, 1, Outcome(State.UNKNOWN, NOW, 4, 1, 2)),
    (Refused(None, "no mail"), 0, Outcome(State.FAILED, NOW, 4, 0, 2)),
    (LATER, 0, Outcome(State.QUEUED, NOW + RETRY_WAITS[3], 4, 0, 2)),
    (LATER, 1, Outcome(State.QUEUED, NOW + RETRY_WAITS[3], 4, 1, 2)),
    (RelayDown(Stage.AUTH, "x", "y", lasting=True), 0, Outcome(State.QUEUED, BEFORE, 3, 0, 2)),
    (DOWN, 1, Outcome(State.QUEUED, BEFORE, 3, 1, 2)),
    (Throttled(Stage.DOT, Reply(432, "4.3.2 slower")), 0, Outcome(State.QUEUED, NOW + MAKE_WAY, 3, 0, 2)),
    (CUT, 0, Outcome(State.QUEUED, NOW + AMBIGUOUS_WAIT, 3, 1, 2)),
    (CUT, 1, Outcome(State.UNKNOWN, NOW, 3, 2, 2)),
    (CUT, 2, Outcome(State.UNKNOWN, NOW, 3, 3, 2)),
]


@pytest.mark.parametrize(("verdict", "ambiguous", "expected"), TABLE)
def test_a_verdict_makes_one_outcome(verdict: Verdict, ambiguous: int, expected: Outcome) -> None:
    """The relay's reply counts as an attempt, faults of the relay do not, and a cut at the dot is repaired once."""
    assert outcome(in_flight(ambiguous=ambiguous), verdict) == expected


@pytest.mark.parametrize("stage", Stage)
def test_a_mail_during_which_the_connection_broke_lets_others_go_first(stage: Stage) -> None:
    """It may be this mail that breaks it; where none was begun, it keeps its place."""
    found = outcome(in_flight(), RelayDown(stage, "x", "y", lasting=False))
    expected = NOW + STEP_BACK if stage in IN_TRANSACTION else BEFORE
    assert found == Outcome(State.QUEUED, expected, 3, 0, 2)


# Retries


@pytest.mark.parametrize("retries", [0, 1, 5, 100])
def test_as_many_retries_as_are_configured(retries: int) -> None:
    """Beyond the table its last wait repeats; without any the first refusal is the last."""
    retry = RetryConfig(message_retries=retries)
    assert outcome(delivery(attempts=retries), LATER, retry=retry).state is State.ABANDONED
    if retries:
        last = outcome(delivery(attempts=retries - 1), LATER, retry=retry)
        assert last.next_attempt - NOW == RETRY_WAITS[min(retries - 1, 4)]


def test_what_may_have_arrived_is_never_called_abandoned() -> None:
    """A cut at the dot and then refusals to the end: nobody knows."""
    assert outcome(delivery(attempts=5, ambiguous=1), LATER).state is State.UNKNOWN


ASKED = [
    ("4.7.1 Greylisted, please try again in 300 seconds", 305), ("4.2.0 try again in 5 minutes", 305),
    ("4.2.0 come back in 15m", 905), ("4.2.0 wait 90s please", 95), ("4.2.0 retry in 10 seconds", 30),
    ("4.2.0 retry in 99999 seconds", 1800), ("4.2.0 retry in 3 hours", 1800), ("4.2.0 no number here", 30),
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), ASKED)
def test_a_relay_that_says_how_long_it_greylists_is_believed(text: str, seconds: int) -> None:
    """With five seconds more, where it is longer than the table's wait, up to half an hour."""
    assert outcome(delivery(), Deferred(Stage.RCPT, Reply(451, text))).next_attempt - NOW == seconds * SECOND


def test_the_last_chance_is_two_minutes_before_the_deadline() -> None:
    """A wait that would outlast it ends there, so that a link of an hour is not lost to a wait of twenty minutes."""
    found = delivery(attempts=4, deadline=NOW + 10 * MINUTE)
    assert outcome(found, LATER).next_attempt == NOW + 8 * MINUTE
    assert outcome(replace(found, deadline=NOW + HOUR), LATER).next_attempt == NOW + 20 * MINUTE


def test_a_deadline_close_by_makes_no_haste() -> None:
    """Where the last chance would come within half a minute, the table's wait stays; it may expire meanwhile."""
    for left in (MINUTE, 2 * MINUTE, 150 * SECOND):
        found = delivery(attempts=1, deadline=NOW + left)
        assert outcome(found, LATER).next_attempt == NOW + 2 * MINUTE


def test_an_hours_link_sees_the_end_of_greylisting() -> None:
    """Six attempts fit, whatever the dice say, at least one of them more than half an hour after the first."""
    for dice in (lambda: 0.0, lambda: 0.999):
        found, now, times = delivery(deadline=NOW + 59 * MINUTE), NOW, [NOW]
        for _ in range(5):
            made = settle.outcome(found, LATER, now, RETRY, dice)
            assert made.state is State.QUEUED
            now = made.next_attempt
            times.append(now)
            found = replace(found, attempts=made.attempts)
        assert times[-1] < found.deadline
        assert times[-1] - NOW > 30 * MINUTE
        assert settle.outcome(found, LATER, now, RETRY, dice).state is State.ABANDONED


TEXTS = st.integers(0, 99_999).map(lambda number: Deferred(Stage.RCPT, Reply(451, f"retry in {number} minutes")))
VERDICTS = st.sampled_from([OK, NO, LATER, CUT, DOWN, RelayDown(Stage.RCPT, "x", "y", lasting=True)])


@given(st.lists(VERDICTS, min_size=1, max_size=40), st.floats(0, 0.999))
def test_no_row_of_verdicts_makes_an_illegal_move_or_a_third_copy(verdicts: list[Verdict], rolled: float) -> None:
    """Each outcome may follow `processing`; what may have arrived twice is never sent again, nor ever called failed."""
    found, perhaps = delivery(), 0
    for verdict in verdicts:
        made = settle.outcome(replace(found, state=State.PROCESSING), verdict, NOW, RETRY, lambda: rolled)
        assert (State.PROCESSING, made.state) in MOVES
        perhaps += isinstance(verdict, Uncertain)
        assert made.ambiguous == perhaps
        assert made.attempts == found.attempts + isinstance(verdict, Accepted | Refused | Deferred)
        if made.state is not State.QUEUED:
            assert perhaps <= 2
            assert made.state in ({State.SENT, State.UNKNOWN} if perhaps else set(State))
            return
        assert perhaps < 2
        found = replace(found, attempts=made.attempts, ambiguous=made.ambiguous, next_attempt=made.next_attempt)


@given(VERDICTS | TEXTS, st.integers(0, 100), st.integers(0, 2), st.floats(0, 0.999))
def test_no_wait_is_one_that_the_ledger_takes_for_a_wrong_clock(
    verdict: Verdict, attempts: int, ambiguous: int, rolled: float
) -> None:
    """A delivery that waits for longer than `LONGEST_WAIT` would be due at once."""
    retry = RetryConfig(message_retries=1_000)
    found = in_flight(attempts=attempts, ambiguous=ambiguous, deadline=NOW + DAY)
    made = settle.outcome(found, verdict, NOW, retry, lambda: rolled)
    assert made.next_attempt - NOW < LONGEST_WAIT
    assert settle.interrupted(replace(found, dot=True), NOW).next_attempt - NOW < LONGEST_WAIT
    assert settle.put_off(found, NOW, PUT_OFF).next_attempt - NOW < LONGEST_WAIT


# After a crash, and without an attempt


def test_what_was_before_its_dot_is_due_again_and_not_counted() -> None:
    """A relay must drop what did not come to its dot (RFC 5321, section 4.1.1.10)."""
    assert settle.interrupted(in_flight(), NOW) == Outcome(State.QUEUED, NOW, 3, 0, 2)


def test_what_was_at_its_dot_is_ambiguous_and_the_second_time_unknown() -> None:
    """As a cut is: it waits two minutes, and then never more than once again."""
    found = in_flight(dot=True, imprint=IMPRINT)
    assert settle.interrupted(found, NOW) == Outcome(State.QUEUED, NOW + AMBIGUOUS_WAIT, 3, 1, 2)
    assert settle.interrupted(replace(found, ambiguous=1), NOW) == Outcome(State.UNKNOWN, NOW, 3, 2, 2)


def test_a_second_attempt_that_ended_before_its_dot_stays_ambiguous_by_the_first() -> None:
    """It goes out again: only its first dot may have been out."""
    found = in_flight(ambiguous=1, imprint=IMPRINT)
    assert settle.interrupted(found, NOW) == Outcome(State.QUEUED, NOW, 3, 1, 2)


@pytest.mark.parametrize("state", [State.EXPIRED, State.WITHDRAWN, State.FAILED, State.HELD])
def test_an_end_is_what_it_is_unless_it_may_have_arrived(state: State) -> None:
    """Then it is unknown, and its counts stay."""
    assert settle.ended(in_flight(), state, NOW) == Outcome(state, NOW, 3, 0, 2)
    expected = State.UNKNOWN if state is not State.HELD else State.HELD
    assert settle.ended(in_flight(ambiguous=1), state, NOW) == Outcome(expected, NOW, 3, 1, 2)


def test_what_is_put_off_waits_and_keeps_its_counts() -> None:
    """It was not tried."""
    found = in_flight(ambiguous=1)
    assert settle.put_off(found, NOW, 30 * SECOND) == Outcome(State.QUEUED, NOW + 30 * SECOND, 3, 1, 2)


# The history


LINES: list[tuple[Verdict, Attempt]] = [
    (OK, Attempt(NOW, "dot", "accepted", 250, "2.0.0 Ok: queued as 4D2F", 1.5, "4D2F")),
    (NO, Attempt(NOW, "rcpt", "refused", 550, "5.1.1 no such user", 1.5)),
    (Refused(None, "no mail"), Attempt(NOW, "render", "refused", None, "no mail", 1.5)),
    (LATER, Attempt(NOW, "rcpt", "deferred", 450, "4.2.0 greylisted", 1.5)),
    (DOWN, Attempt(NOW, "connect", "relay_down", None, "connection refused", 1.5)),
    (
        RelayDown(Stage.AUTH, "x", "y", lasting=True, reply=Reply(535, "5.7.8 no")),
        Attempt(NOW, "auth", "relay_down", 535, "5.7.8 no", 1.5),
    ),
    (CUT, Attempt(NOW, "dot", "uncertain", None, "connection cut", 1.5)),
]


@pytest.mark.parametrize(("verdict", "line"), LINES)
def test_each_verdict_writes_one_line_of_history(verdict: Verdict, line: Attempt) -> None:
    """When, how far it came, what was said, how long it took."""
    assert settle.attempt(verdict, NOW, 1.5) == line


def test_a_crash_writes_a_line_that_says_whether_it_may_have_arrived() -> None:
    """So that the operator need not know the protocol."""
    before, at = settle.lost_track(in_flight(), NOW), settle.lost_track(in_flight(dot=True), NOW)
    assert (before.verdict, at.verdict) == ("interrupted", "interrupted")
    assert (before.stage, at.stage) == ("mail", "dot")
    assert "was not sent" in before.reply
    assert "may have arrived" in at.reply
