"""A statement with the values to bind. A transaction is a list of them, which is sent to the database in one go."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mail_sender.ledger.states import State

Rows = Sequence[tuple[Any, ...]]
"""What a statement returned."""


class Statement(NamedTuple):
    """SQL with `%(name)s` for each value, and the values."""

    text: str
    values: Mapping[str, Any] = {}


def words(states: Iterable[State]) -> str:
    """Return the list of an IN for states."""
    return "(" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


def asked(**columns: str) -> str:
    """Return a table of what is asked for: a column of that type for each name, which is also its array of values."""
    arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in columns.items())
    return f"unnest({arrays}) AS asked ({', '.join(columns)})"
