"""The moves between the states of a delivery: those of the flow, and those of the operator."""

from itertools import product

import pytest

from mail_sender.ledger.states import COMMANDS, FINAL, MOVES, OPEN, IllegalMove, State, check


@pytest.mark.parametrize("moves", [MOVES, COMMANDS])
def test_a_delivery_moves_only_as_a_table_says(moves: frozenset[tuple[State, State]]) -> None:
    """Every other pair of states is a fault of the program, which is named."""
    for old, new in product(State, State):
        if (old, new) in moves:
            check(old, new, moves)
        else:
            with pytest.raises(IllegalMove, match=f"{old} -> {new}"):
                check(old, new, moves)


def test_nothing_leaves_a_final_state_by_itself() -> None:
    """And every other one can be left."""
    assert {old for old, _ in MOVES} == frozenset(State) - FINAL == OPEN


def test_only_a_queued_delivery_is_begun_and_only_a_processing_one_becomes_sent() -> None:
    """No two attempts are in flight at once, and nothing is sent that was not handed over, not even by command."""
    assert [old for old, new in MOVES | COMMANDS if new is State.PROCESSING] == [State.QUEUED]
    assert [old for old, new in MOVES | COMMANDS if new is State.SENT] == [State.PROCESSING]


def test_a_command_queues_or_gives_up_what_is_not_in_flight() -> None:
    """Each state but that one can be queued (again); what was sent, or ended, is not given up."""
    assert {old for old, new in COMMANDS if new is State.QUEUED} == {*State} - {State.PROCESSING}
    assert {old for old, new in COMMANDS if new is not State.QUEUED} == {State.QUEUED, State.HELD, State.UNKNOWN}
    assert {new for _, new in COMMANDS} == {State.QUEUED, State.ABANDONED}
