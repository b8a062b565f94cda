"""The moves between the states of a delivery: those of the flow, and those of the operator."""

from itertools import product

import pytest

from mail_sender.ledger.states import COMMANDS, FINAL, MOVES, OPEN, IllegalMove, State, check

GIVEN_UP = {State.FAILED, State.EXPIRED, State.WITHDRAWN, State.UNKNOWN}
ALLOWED = {
    State.QUEUED: {State.QUEUED, State.PROCESSING, State.HELD, *GIVEN_UP},
    State.HELD: {State.QUEUED, State.EXPIRED, State.WITHDRAWN, State.UNKNOWN},
    State.PROCESSING: {State.QUEUED, State.SENT, State.ABANDONED, State.FAILED, State.UNKNOWN, State.HELD},
}
ORDERED = {
    State.QUEUED: {State.QUEUED, State.ABANDONED},
    State.HELD: {State.QUEUED, State.ABANDONED},
    State.FAILED: {State.QUEUED},
    State.ABANDONED: {State.QUEUED},
    State.EXPIRED: {State.QUEUED},
    State.SENT: {State.QUEUED},
    State.WITHDRAWN: {State.QUEUED},
    State.UNKNOWN: {State.QUEUED, State.ABANDONED},
}
PAIRS = list(product(State, State))


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_delivery_moves_only_as_the_table_says(old: State, new: State) -> None:
    """Every pair of states: the moves of the design are allowed, all others are a fault of the program."""
    if new in ALLOWED.get(old, set()):
        check(old, new)
    else:
        with pytest.raises(IllegalMove, match=f"{old} -> {new}"):
            check(old, new)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_operator_orders_only_what_the_table_says(old: State, new: State) -> None:
    """Nothing in flight is touched, and nothing is declared sent."""
    if new in ORDERED.get(old, set()):
        check(old, new, COMMANDS)
    else:
        with pytest.raises(IllegalMove, match=f"{old} -> {new}"):
            check(old, new, COMMANDS)


def test_nothing_leaves_a_final_state_by_itself() -> None:
    """Final states are those that no move of the flow starts from."""
    assert {state for state in State if state not in ALLOWED} == FINAL
    assert not {old for old, _ in MOVES} & FINAL
    assert frozenset(State) - FINAL == OPEN


def test_only_a_processing_delivery_can_become_sent() -> None:
    """Nothing is sent that was not handed to the relay, not even by order."""
    assert [old for old, new in ALLOWED.items() if State.SENT in new] == [State.PROCESSING]
    assert not any(new is State.SENT for _, new in COMMANDS)


def test_only_a_queued_delivery_can_be_begun() -> None:
    """Two attempts of one delivery are never in flight at once."""
    assert [old for old, new in MOVES | COMMANDS if new is State.PROCESSING] == [State.QUEUED]
