"""Which of the deliveries that are due go now."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import State
from mail_sender.names.address import mailbox
from mail_sender.sender.plan import Expire, Send, in_turn, plan
from tests.support.samples import ELLIE, NOW, SECOND, delivery, message

NOBODY: frozenset[str] = frozenset()


def due(*recipients: str) -> list[Delivery]:
    """Return a delivery of a message of its own for each recipient."""
    return [delivery(message(recipient)) for recipient in recipients]


def test_what_is_due_is_sent_in_the_order_in_which_it_came() -> None:
    """The ledger has put what is due longest first."""
    found = due("c@example.com", "a@example.com", "b@example.com")
    assert plan(found, NOBODY, 4, NOW) == [Send(one) for one in found]


def test_no_more_go_than_there_is_capacity_for() -> None:
    """The first ones; without any capacity none."""
    found = due(*(f"{number}@example.com" for number in range(10)))
    assert plan(found, NOBODY, 3, NOW) == [Send(one) for one in found[:3]]
    assert plan(found, NOBODY, 0, NOW) == []


def test_of_two_to_one_address_the_first_goes() -> None:
    """The later one waits until the first is settled; what is for somebody else does not wait."""
    first, second, other = due(ELLIE, ELLIE, "b@example.com")
    assert plan([first, second, other], NOBODY, 4, NOW) == [Send(first), Send(other)]


@pytest.mark.parametrize("spelling", ["Ellie@example.com", "ELLIE@EXAMPLE.COM", "ellie@Example.Com"])
def test_two_spellings_of_a_mailbox_are_one_address(spelling: str) -> None:
    """Mail systems ignore case, so their order would show."""
    first, second = due(ELLIE, spelling)
    assert plan([first, second], NOBODY, 4, NOW) == [Send(first)]
    assert plan([second], frozenset({mailbox(ELLIE)}), 4, NOW) == []


@pytest.mark.parametrize("state", [State.QUEUED, State.HELD])
def test_what_is_past_its_deadline_is_expired(state: State) -> None:
    """Held ones, too, from the deadline on, whatever the capacity."""
    for late in (timedelta(), SECOND, timedelta(days=9)):
        found = delivery(state=state, deadline=NOW - late)
        assert plan([found], NOBODY, 0, NOW) == [Expire(found)]


def test_what_has_any_time_left_is_sent() -> None:
    """The deadline has its margin already."""
    found = delivery(deadline=NOW + timedelta(microseconds=1))
    assert plan([found], NOBODY, 1, NOW) == [Send(found)]


def test_expired_ones_take_no_capacity_and_no_address() -> None:
    """They are written, not sent: a living message to the same address goes in the same plan."""
    dead = delivery(message(ELLIE), deadline=NOW)
    (living,) = due(ELLIE)
    assert plan([dead, living], frozenset({"x@example.com"}), 1, NOW) == [Expire(dead), Send(living)]


def test_nothing_is_looked_at_behind_the_last_one_that_goes() -> None:
    """What was read ahead may be long, and is planned anew for every mail."""
    first, second, *_ = found = due(*(f"{number}@example.com" for number in range(10)))
    ahead = iter(found)
    assert plan(ahead, NOBODY, 2, NOW) == [Send(first), Send(second)]
    assert len(list(ahead)) >= 7


# Fresh ones beside a backlog


def test_a_fresh_one_goes_before_a_backlog_when_it_is_its_turn() -> None:
    """First those that have a lead, then by turns, so that neither waits for the other's end."""
    old = due("a@example.com", "b@example.com", "c@example.com")
    fresh = due(*(f"{name}@example.com" for name in "tuvwxyz"))
    a, b, c = old
    t, u, v, w, x, y, z = fresh
    assert list(in_turn(old, fresh, fresh_first=4)) == [t, u, v, w, a, x, b, y, c, z]
    assert list(in_turn(old, fresh, fresh_first=1)) == [t, a, u, b, v, c, w, x, y, z]
    assert list(in_turn(old, fresh, fresh_first=0)) == [a, t, b, u, c, v, w, x, y, z]
    assert list(in_turn(old, [], fresh_first=3)) == old
    assert list(in_turn([], fresh, fresh_first=0)) == fresh


def test_what_is_fresh_and_the_beginning_of_the_backlog_goes_once_in_its_order() -> None:
    """After an outage a poll brings everything at once: the oldest message goes first."""
    found = due(*(f"{number}@example.com" for number in range(5)))
    for fresh_first in range(4):
        assert list(in_turn(found, found[:3], fresh_first=fresh_first)) == found


@given(st.permutations(range(8)), st.integers(0, 8), st.integers(0, 3), st.integers(1, 4))
def test_two_for_one_address_keep_their_order_whichever_is_fresh(
    people: list[int], backlog: int, fresh_first: int, capacity: int
) -> None:
    """The fresh ones stand behind what is due for their addresses, as the ledger gives them."""
    found = due(*(f"{number % 3}@example.com" for number in people))
    names = {one.recipient for one in found[backlog:]}
    before = [one for one in found[:backlog] if one.recipient in names]
    fresh = [*before, *found[backlog:]]
    sent = [step.delivery for step in plan(in_turn(found, fresh, fresh_first=fresh_first), NOBODY, capacity, NOW)]
    for one in sent:
        assert one == next(other for other in found if other.recipient == one.recipient)


ADDRESSES = st.sampled_from([f"{name}@example.com" for name in "aAbBcCdD"])


@given(st.lists(st.tuples(ADDRESSES, st.booleans()), max_size=12), st.sets(ADDRESSES), st.integers(0, 4))
def test_a_plan_never_crowds_an_address_or_the_relay(
    wanted: list[tuple[str, bool]], busy: set[str], capacity: int
) -> None:
    """Whatever is due: at most as many as there is capacity for, each address once, none that is in flight."""
    in_flight = frozenset(mailbox(one) for one in busy)
    found = [delivery(message(to), deadline=NOW + (SECOND if lives else -SECOND)) for to, lives in wanted]
    steps = plan(found, in_flight, capacity, NOW)
    sent = [mailbox(step.delivery.recipient) for step in steps if isinstance(step, Send)]
    assert len(sent) <= capacity
    assert len(set(sent)) == len(sent)
    assert not in_flight & set(sent)
    looked_at = found if len(sent) < max(capacity, 1) else found[: found.index(steps[-1].delivery) + 1]
    assert [step.delivery for step in steps if isinstance(step, Expire)] == [
        one for one in looked_at if one.deadline <= NOW
    ]
    places = [found.index(step.delivery) for step in steps]
    assert places == sorted(places)
