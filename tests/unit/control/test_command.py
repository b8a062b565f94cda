"""Commands as values, and as the lines that cross the control socket."""

import json

import pytest

from mail_sender.control.command import BadCommand, Command
from mail_sender.ledger.states import State


def test_a_command_crosses_the_socket_as_it_is() -> None:
    """Every field; and of what is at its default, nothing but the verb."""
    states = frozenset({State.HELD, State.FAILED})
    command = Command("retry", "abcdef", states, "ellie@example.com", limit=3, before=7, show_addresses=True)
    assert Command.from_json(command.to_json()) == command
    assert json.loads(Command("flush").to_json()) == {"verb": "flush"}


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"verb": "drop"}, {"verb": ["list"]}, {"verb": "list", "nonsense": 1}, {"verb": "list", "limit": 0},
        {"verb": "list", "limit": "5"}, {"verb": "list", "limit": 5.0}, {"verb": "list", "limit": True},
        {"verb": "list", "before": 2**63}, {"verb": "list", "states": "held"},
        {"verb": "list", "states": ["asleep"]}, {"verb": "list", "states": [[]]},
        {"verb": "list", "recipient": "x" * 1001}, {"verb": "list", "recipient": "\ud800"},
        {"verb": "list", "show_addresses": 1}, {"verb": "show", "message": "abcde"},
        {"verb": "show", "message": "a" * 37}, {"verb": "show", "message": "abcdef\n"},
        {"verb": "show", "message": "%"},
    ],
)  # fmt: skip
def test_a_line_with_a_field_that_cannot_be_is_no_command(fields: dict[str, object]) -> None:
    """Nothing of it is guessed: neither a name nor a type."""
    with pytest.raises(BadCommand):
        Command.from_json(json.dumps(fields).encode())
