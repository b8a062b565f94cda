"""The tables of a ledger, and their rows as both kinds of ledger keep them: one form, from either and to either.

The form is that of the file: times are whole microseconds, an id is text, a dot is 0 or 1. The columns of each table
stand in one order, with PostgreSQL's name for what they hold; the first one is the key, by which rows are in order.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from mail_sender.ledger import rows
from mail_sender.ledger.sqlite_faults import Unreadable
from mail_sender.names.address import mailbox

Value = int | float | str | None
Row = tuple[Value, ...]
Key = int | str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, each with the type that PostgreSQL has for it; the first one is the key."""

    name: str
    columns: Mapping[str, str]

    @property
    def key(self) -> str:
        """The name of the key."""
        return next(iter(self.columns))

    @property
    def listed(self) -> str:
        """The names of the columns, as SQL has them."""
        return ", ".join(self.columns)


_COUNT, _TEXT = "bigint", "text"

TABLES = (  # a row stands after those that it refers to
    Table(
        "message",
        {
            "number": _COUNT,
            "id": "uuid",
            "kind": _TEXT,
            **dict.fromkeys(("admitted_at", "delete_after", "complete_at", "marked_at", "unsent_at"), _COUNT),
        },
    ),
    Table(
        "delivery",
        {
            **dict.fromkeys(("number", "message"), _COUNT),
            **dict.fromkeys(("recipient", "state"), _TEXT),
            "dot": "boolean",
            **dict.fromkeys(("claim", "send_after", "deadline", "next_attempt"), _COUNT),
            **dict.fromkeys(("attempts", "ambiguous", "copy"), _COUNT),
            "message_id": _TEXT,
            "date": _COUNT,
            **dict.fromkeys(("digest", "relay", "queue_id"), _TEXT),
            "changed_at": _COUNT,
        },
    ),
    Table(
        "attempt",
        {
            **dict.fromkeys(("number", "delivery", "at"), _COUNT),
            **dict.fromkeys(("stage", "verdict"), _TEXT),
            "code": _COUNT,
            "reply": _TEXT,
            "seconds": "float8",
            "relay": _TEXT,
        },
    ),
    Table("beginning", {"name": _TEXT, "at": _COUNT}),
)
MESSAGE, DELIVERY, ATTEMPT, BEGINNING = TABLES


def of(table: Table, found: Sequence[Any]) -> Row:
    """Return a row in the one form, from what either kind of ledger has read. Raises `Unreadable`."""
    return tuple(
        None if value is None else _FORMS[kind](value)
        for kind, value in zip(table.columns.values(), found, strict=True)
    )


def to_database(table: Table, some: Sequence[Row]) -> dict[str, list[Any]]:
    """Return rows as PostgreSQL takes them: a list for each column. Of a delivery its mailbox is one, too."""
    columns: dict[str, list[Any]] = {
        name: [None if value is None else _as(kind, value) for value in values]
        for (name, kind), values in zip(table.columns.items(), zip(*some, strict=True), strict=True)
    }
    if table is DELIVERY:
        columns["mailbox"] = [mailbox(recipient) for recipient in columns["recipient"]]
    return columns


@dataclass(slots=True)
class Digest:
    """The rows of one table, counted, and a digest over all of them in the order of their key."""

    count: int = 0
    _sha256: Any = field(default_factory=sha256)

    def add(self, some: Sequence[Row]) -> None:
        """Take more rows in."""
        self.count += len(some)
        for row in some:
            self._sha256.update(json.dumps(row).encode() + b"\n")

    @property
    def value(self) -> str:
        """The digest, in hex."""
        return str(self._sha256.hexdigest())


def _as(kind: str, value: Value) -> object:
    match kind:
        case "uuid":
            return UUID(str(value))
        case "boolean":
            return bool(value)
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise Unreadable("a row is damaged")
    return int(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unreadable("a row is damaged")
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL's text has none


def _fraction(value: object) -> float:
    if not isinstance(value, float):
        raise Unreadable("a row is damaged")
    return value + 0.0  # a file knows no -0.0


_FORMS: Mapping[str, Callable[[Any], Value]] = {
    "bigint": _whole,
    "boolean": _whole,
    "text": _text,
    "float8": _fraction,
    "uuid": lambda value: str(rows.uuid(str(value))),
}
