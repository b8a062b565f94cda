"""The table of verbs agrees with the ledger and with the command line."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
import typer.main

from mail_sender.cli import queue
from mail_sender.control.verbs import VERBS
from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import COMMANDS, FINAL, State
from tests.support.samples import ELLIE, NOW, message


def in_state(state: State, ambiguous: int = 0) -> Delivery:
    """Return a delivery in a state."""
    later = NOW + timedelta(hours=1)
    return Delivery(message().id, ELLIE, "test_message_v1", state, NOW, later, later, ambiguous=ambiguous)


def after(delivery: Delivery, *names: str) -> Delivery:
    """Return what verbs make of a delivery, one after the other; one that refuses it leaves it as it is."""
    for name in names:
        made = VERBS[name].decide(delivery, NOW)
        if isinstance(made, Outcome):
            delivery = replace(delivery, state=made.state, ambiguous=made.ambiguous, copy=made.copy)
    return delivery


def test_the_verbs_make_the_moves_that_the_ledger_takes_from_commands_and_no_others() -> None:
    """What a verb offers is never refused by the ledger, and nothing is allowed there that no verb needs."""
    found = [in_state(state, ambiguous=count) for state in State for count in (0, 1)]
    outcomes = [(one.state, verb.decide(one, NOW)) for verb in VERBS.values() for one in found]
    assert {(old, new.state) for old, new in outcomes if isinstance(new, Outcome)} == COMMANDS


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_changes_what_it_takes_and_has_a_sentence_for_the_rest(name: str) -> None:
    """A verb that reads changes nothing."""
    verb = VERBS[name]
    found = [in_state(state, ambiguous=count) for state in State for count in (0, 1)]
    changed = {one.state for one in found if isinstance(verb.decide(one, NOW), Outcome)}
    assert changed == verb.takes
    assert verb.reads_only is (not changed)


ASKS = "resend"
ENDED = [in_state(state, ambiguous=count) for state in sorted(FINAL) for count in (0, 1, 2)]
MAY_HAVE_ARRIVED = [one for one in ENDED if one.ambiguous or one.state in {State.SENT, State.UNKNOWN}]
PAIRS = list(product(VERBS, repeat=2))


@pytest.mark.parametrize("names", PAIRS, ids=" ".join)
def test_no_two_verbs_mail_again_what_may_have_arrived_unless_one_asks(names: tuple[str, str]) -> None:
    """Whatever becomes of it in between; and what was given up stays so until somebody is asked again."""
    for one in MAY_HAVE_ARRIVED:
        assert (after(one, *names).state is State.QUEUED) <= (ASKS in names)
        given_up = after(one, ASKS, "abandon", *names)
        assert (given_up.state is State.QUEUED) <= (ASKS in names)
    for copied in (one for one in MAY_HAVE_ARRIVED if one.state in {State.SENT, State.UNKNOWN}):
        assert after(copied, *names, ASKS).state is State.QUEUED


def test_what_was_cut_off_once_and_given_up_is_not_retried_but_resent() -> None:
    """While it was queued, the same mail would have gone out once more by itself; nobody expects that any more."""
    given_up = after(in_state(State.QUEUED, ambiguous=1), "abandon")
    refusal = VERBS["retry"].decide(given_up, NOW)
    assert isinstance(refusal, str)
    assert "may have arrived" in refusal
    copy = after(given_up, "resend")
    assert (copy.state, copy.copy, copy.ambiguous) == (State.QUEUED, 1, 0)
    assert after(in_state(State.QUEUED), "abandon", "retry").state is State.QUEUED


def test_the_command_line_has_options_for_every_verb() -> None:
    """A row without options could not be used, and options without a row would do nothing."""
    assert set(typer.main.get_group(queue.app).commands) == {name for name, verb in VERBS.items() if verb.is_of_queue}
