"""A command: what the operator asks of the queue, and the JSON line in which it crosses the control socket.

A line names only what differs from the default: `{"verb": "list", "states": ["failed"], "limit": 50}`.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Self

from mail_sender.control.verbs import VERBS, Verb
from mail_sender.ledger.base import Query
from mail_sender.ledger.states import State

SHORTEST_ID = 6
"""Characters of a message's id, at least, that stand for the whole."""

_ID_START = re.compile(rf"[0-9a-f-]{{{SHORTEST_ID},36}}")
_LONGEST_RECIPIENT = 1_000
_NUMBERS = range(1, 2**63)
_JSON_TYPES: dict[str, type] = {
    "verb": str,
    "message": str,
    "states": list,
    "recipient": str,
    "limit": int,
    "before": int,
    "show_addresses": bool,
}


class BadCommand(ValueError):
    """No verb has that name, or a field has a value that it cannot have; the message names the field."""


@dataclass(frozen=True, slots=True)
class Command:
    """One verb, and which deliveries it means: all that fit every field that is set.

    `message` is an id or the start of one. `limit` and `before` choose a page of a list: so many deliveries, from
    those with a smaller number than `before`. Raises `BadCommand`.
    """

    verb: str
    message: str | None = None
    states: frozenset[State] = frozenset(State)
    recipient: str | None = None
    limit: int | None = None
    before: int | None = None
    show_addresses: bool = False

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise BadCommand("verb")
        if self.message is not None and not _ID_START.fullmatch(self.message):
            raise BadCommand("message")
        if self.recipient is not None and not _is_text(self.recipient):
            raise BadCommand("recipient")
        for name, number in (("limit", self.limit), ("before", self.before)):
            if number is not None and number not in _NUMBERS:
                raise BadCommand(name)

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """Return the command that a line holds. Raises `BadCommand`."""
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):  # the latter where brackets are nested too deep
            raise BadCommand("line") from None
        if not isinstance(fields, dict) or "verb" not in fields:
            raise BadCommand("line")
        for name, value in fields.items():
            if type(value) is not _JSON_TYPES.get(name):  # not isinstance: True is no number
                raise BadCommand(name)
        try:
            return cls(**{**fields, "states": frozenset(map(State, fields.get("states", State)))})
        except ValueError as error:
            raise BadCommand(str(error)) from None

    def to_json(self) -> bytes:
        """Return the command as one line."""
        default = asdict(Command(self.verb))
        fields = {name: value for name, value in asdict(self).items() if name == "verb" or value != default[name]}
        if "states" in fields:
            fields["states"] = sorted(self.states)
        return json.dumps(fields).encode() + b"\n"

    @property
    def row(self) -> Verb:
        """The row of its verb in the table."""
        return VERBS[self.verb]

    @property
    def query(self) -> Query:
        """What the ledger is asked for."""
        return Query(self.states, self.recipient, self.message)


def _is_text(recipient: str) -> bool:
    """Say whether it is short enough, and no half of a character is in it, which UTF-8 cannot hold."""
    try:
        recipient.encode()
    except UnicodeEncodeError:
        return False
    return len(recipient) <= _LONGEST_RECIPIENT
