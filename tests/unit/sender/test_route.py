"""The route: which relay a delivery may go by."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.ledger.base import Stuck
from mail_sender.sender import route
from mail_sender.sender.route import Standing
from tests.support.samples import IMPRINT, delivery

A, B, C = "a.example:465", "b.example:465", "c.example:465"
PLACES = A, B, C


def standings(*down_for: float | None) -> list[Standing]:
    """Return how the relays stand: how long each has been down, None where its breaker is closed."""
    return [
        Standing(place, down, after) for place, down, after in zip(PLACES, down_for, (0.0, 30.0, 60.0), strict=False)
    ]


@pytest.mark.parametrize(
    ("down_for", "asked", "carrier"),
    [
        ((None,), [0], 0),
        ((500.0,), [0], None),
        ((None, None), [0], 0),
        ((None, 9.0), [0], 0),
        ((29.9, None), [0], None),
        ((30.0, None), [0, 1], 1),
        ((30.0, 5.0), [0, 1], None),
        ((30.0, None, None), [0, 1], 1),
        ((59.9, 5.0, None), [0, 1], None),
        ((60.0, 5.0, None), [0, 1, 2], 2),
        ((60.0, None, None), [0, 1], 1),
        ((60.0, 5.0, 5.0), [0, 1, 2], None),
    ],
)
def test_a_fallback_is_asked_once_those_before_it_are_down_for_long_enough(
    down_for: tuple[float | None, ...], asked: list[int], carrier: int | None
) -> None:
    """Those that are down are asked first, for their probes; the last one carries what is no probe."""
    assert route.candidates(standings(*down_for)) == asked
    assert route.carrier(standings(*down_for)) == carrier


def test_a_mail_that_has_met_the_outage_goes_by_the_fallback_that_carries_mail() -> None:
    """It would only be late; where nothing else carries mail, it probes."""
    assert route.candidates(standings(60.0, 5.0, None), has_met=True) == [2]
    assert route.candidates(standings(60.0, 5.0, 5.0), has_met=True) == [0, 1, 2]
    assert route.candidates(standings(None, None), has_met=True) == [0]


@pytest.mark.parametrize(
    ("had_dot", "ambiguous", "owner"),
    [
        (None, 0, None),
        (A, 0, None),  # it answered: it certainly does not have the mail
        (B, 1, B),
        (A, 1, A),
        ("gone.example:465", 1, A),  # not configured any more: as after a change of the relay
        (None, 1, A),  # an earlier version wrote it
    ],
)
def test_who_may_have_a_mail_is_the_one_that_had_its_dot(
    had_dot: str | None, ambiguous: int, owner: str | None
) -> None:
    """No other relay gets the second copy."""
    imprint = replace(IMPRINT, relay=had_dot)
    assert route.owner(delivery(ambiguous=ambiguous, imprint=imprint), PLACES) == owner


def test_a_mail_that_may_have_arrived_is_stuck_while_its_own_relay_takes_none() -> None:
    """Every other mail is free to go elsewhere."""
    may_have = delivery(ambiguous=1, imprint=replace(IMPRINT, relay=B))
    assert route.is_stuck(may_have, Stuck(frozenset({A, B}), PLACES))
    assert not route.is_stuck(may_have, Stuck(frozenset({A}), PLACES))
    assert not route.is_stuck(delivery(imprint=replace(IMPRINT, relay=B)), Stuck(frozenset(PLACES), PLACES))


TIMES = st.one_of(st.none(), st.floats(0, 200))
STANDINGS = st.lists(st.tuples(TIMES, st.floats(0, 100)), min_size=1, max_size=3).map(
    lambda found: [
        Standing(place, down, after if number else 0.0)
        for number, (place, (down, after)) in enumerate(zip(PLACES, found, strict=False))
    ]
)


@given(STANDINGS, st.sampled_from(PLACES))
def test_what_may_have_arrived_has_one_relay_however_the_relays_stand(found: list[Standing], had_dot: str) -> None:
    """A second copy anywhere else would be a second mail."""
    places = [one.place for one in found]
    owner = route.owner(delivery(ambiguous=1, imprint=replace(IMPRINT, relay=had_dot)), places)
    assert [places[number] for number in route.candidates(found, owner)] == [owner]
    assert owner == (had_dot if had_dot in places else A)


@given(STANDINGS)
def test_the_first_relay_is_always_asked_first_and_alone_while_its_breaker_is_closed(found: list[Standing]) -> None:
    """While it is open or half-open, its breaker alone decides whether it gets a probe."""
    asked = route.candidates(found)
    assert asked[0] == 0
    if found[0].is_closed:
        assert asked == [0]
    assert list(asked) == sorted(set(asked))
    assert all((found[0].down_for or 0.0) >= found[number].after for number in asked)


@given(STANDINGS)
def test_one_relay_at_most_carries_mail_and_it_is_the_first_in_order_that_may(found: list[Standing]) -> None:
    """All of those before it are down, or not yet to be used."""
    carrier = route.carrier(found)
    may = [number for number, one in enumerate(found) if one.is_closed and route.may_carry(one, found[0])]
    assert carrier == (may[0] if may else None)
