"""The moves between the states of a delivery."""

from itertools import product

import pytest

from mail_sender.ledger.states import FINAL, IllegalMove, State, check

ALLOWED = {
    State.QUEUED: {State.PROCESSING, State.EXPIRED, State.HELD, State.FAILED, State.UNKNOWN},
    State.HELD: {State.EXPIRED, State.UNKNOWN},
    State.PROCESSING: {State.QUEUED, State.SENT, State.FAILED, State.UNKNOWN},
}


@pytest.mark.parametrize(("old", "new"), list(product(State, State)))
def test_a_delivery_moves_only_as_the_table_says(old: State, new: State) -> None:
    """Every pair of states: the moves of the design are allowed, all others are a fault of the program."""
    if new in ALLOWED.get(old, set()):
        check(old, new)
    else:
        with pytest.raises(IllegalMove, match=f"{old} -> {new}"):
            check(old, new)


def test_nothing_leaves_a_final_state() -> None:
    """Final states are those that no move starts from."""
    assert {state for state in State if state not in ALLOWED} == FINAL


def test_only_a_processing_delivery_can_become_sent() -> None:
    """Nothing is sent that was not handed to the relay."""
    assert [old for old, new in ALLOWED.items() if State.SENT in new] == [State.PROCESSING]
