"""What one round does."""

from datetime import timedelta
from itertools import product

import pytest

from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import FINAL, State
from mail_sender.message import Message, UnknownContent
from mail_sender.plan import LINK_MARGIN, Attempt, Expire, Hold, Step, plan
from tests.unit.samples import ELLIE, NOW, delivery, message, reset

UNKNOWN_KIND = UnknownContent("account_expiry_v1")
SECOND = timedelta(seconds=1)


def steps(of: Message, *deliveries: Delivery) -> list[Step]:
    """Return the steps for one message."""
    return plan([of], {of.id: deliveries}, NOW, 100)


def test_a_queued_delivery_that_is_due_is_attempted() -> None:
    """Due is what has its next attempt now or earlier."""
    of = message()
    for ago in (timedelta(), SECOND, timedelta(days=1)):
        due = delivery(of, next_attempt=NOW - ago)
        assert steps(of, due) == [Attempt(of, due)]


def test_what_is_not_due_makes_no_step() -> None:
    """A delivery that waits for its retry waits."""
    of = message()
    assert steps(of, delivery(of, next_attempt=NOW + timedelta(microseconds=1))) == []


@pytest.mark.parametrize("state", [*FINAL, State.PROCESSING])
def test_what_is_final_or_under_way_makes_no_step(state: State) -> None:
    """Not even when its time has run out, or its kind is unknown."""
    for content in (reset(expires_at=NOW - SECOND), UNKNOWN_KIND):
        of = message(content=content)
        assert steps(of, delivery(of, state)) == []


def test_an_unknown_kind_is_held_once() -> None:
    """A queued one is set aside; one that is held already makes no step."""
    of = message(content=UNKNOWN_KIND)
    queued, held = delivery(of), delivery(of, State.HELD)
    assert steps(of, queued) == [Hold(of, queued)]
    assert steps(of, held) == []


LINK_LEFT = {timedelta(hours=1): True, LINK_MARGIN + SECOND: True, LINK_MARGIN: False, SECOND: False, -SECOND: False}


@pytest.mark.parametrize(("left", "state"), list(product(LINK_LEFT, [State.QUEUED, State.HELD])))
def test_a_link_that_has_no_minute_left_expires(left: timedelta, state: State) -> None:
    """A dead link is not mailed; held deliveries expire as queued ones do."""
    of = message(content=reset(expires_at=NOW + left))
    found = delivery(of, state)
    if not LINK_LEFT[left]:
        assert steps(of, found) == [Expire(of, found)]
    else:
        assert steps(of, found) == ([Attempt(of, found)] if state is State.QUEUED else [])


def test_a_message_past_its_delete_after_expires() -> None:
    """What the server is about to delete is not mailed, though its link may live on; due or not."""
    of = message(content=reset(expires_at=NOW + timedelta(days=1)), delete_after=NOW)
    for next_attempt in (NOW, NOW + timedelta(hours=1)):
        found = delivery(of, next_attempt=next_attempt)
        assert steps(of, found) == [Expire(of, found)]


def test_steps_follow_the_order_of_the_messages_and_of_their_recipients() -> None:
    """Oldest first, so that two messages to one address go in their order."""
    first, second = message("b@example.com", "a@example.com"), message(ELLIE)
    known = {of.id: tuple(Delivery(of.id, to, State.QUEUED, NOW) for to in of.recipients) for of in (second, first)}
    found = plan([first, second], known, NOW, 100)
    assert [step.delivery.recipient for step in found] == ["b@example.com", "a@example.com", ELLIE]


def test_one_that_waits_does_not_hold_back_a_later_one() -> None:
    """A message to the same address goes while an earlier one waits for its retry."""
    waiting, later = message(), message()
    known = {waiting.id: (delivery(waiting, next_attempt=NOW + SECOND),), later.id: (delivery(later),)}
    assert [step.message for step in plan([waiting, later], known, NOW, 100)] == [later]


def test_a_plan_takes_no_more_steps_than_its_limit() -> None:
    """The oldest are taken; what makes no step does not count."""
    messages = [message() for _ in range(10)]
    known = {of.id: (delivery(of, State.SENT if number < 3 else State.QUEUED),) for number, of in enumerate(messages)}
    assert [step.message for step in plan(messages, known, NOW, 4)] == messages[3:7]
    assert len(plan(messages, known, NOW, 100)) == 7


def test_a_message_that_the_ledger_does_not_know_makes_no_step() -> None:
    """Nothing is sent that could not be settled."""
    assert plan([message()], {}, NOW, 100) == []
