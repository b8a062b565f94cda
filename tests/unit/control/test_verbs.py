"""The table of verbs agrees with the ledger and with the command line."""

from datetime import timedelta

import pytest
import typer.main

from mail_sender.cli import queue
from mail_sender.control.verbs import VERBS
from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import COMMANDS, State
from tests.support.samples import ELLIE, NOW, message


def in_state(state: State) -> Delivery:
    """Return a delivery in a state."""
    later = NOW + timedelta(hours=1)
    return Delivery(message().id, ELLIE, "test_message_v1", state, send_after=NOW, deadline=later, next_attempt=later)


def test_the_verbs_make_the_moves_that_the_ledger_takes_from_commands_and_no_others() -> None:
    """What a verb offers is never refused by the ledger, and nothing is allowed there that no verb needs."""
    outcomes = [(state, verb.decide(in_state(state), NOW)) for verb in VERBS.values() for state in State]
    assert {(old, new.state) for old, new in outcomes if isinstance(new, Outcome)} == COMMANDS


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_changes_what_it_takes_and_has_a_sentence_for_the_rest(name: str) -> None:
    """A verb that reads changes nothing."""
    verb = VERBS[name]
    changed = {state for state in State if isinstance(verb.decide(in_state(state), NOW), Outcome)}
    assert changed == verb.takes
    assert verb.reads_only is (not changed)


def test_the_command_line_has_options_for_every_verb() -> None:
    """A row without options could not be used, and options without a row would do nothing."""
    assert set(typer.main.get_group(queue.app).commands) == set(VERBS)
