"""SCIM filters (RFC 7644 section 3.4.2.2) as Kanidm understands them, turned into SQL.

Kanidm can test presence (`pr`) of what it knows, and equality of `class` and `uuid`; `and`, `or` and `not (...)` join
them. Everything else is refused, each in its own way (wire section 4), and so is what is too long or too deep.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from server_stub.entry import ATTRIBUTES
from server_stub.errors import OperationError, RejectedRequest

MAX_ELEMENTS = 32
MAX_DEPTH = 12
MAX_NESTING = 128  # of Kanidm's parser; deeper text is a syntax error
COMPARISONS = {"eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"}
# Attributes that Kanidm's schema knows and that no message has.
ELSEWHERE = {"name", "displayname", "spn", "mail", "memberof", "directmemberof", "description", "last_modified_cid"}
TOKEN = re.compile(r'\s*(?:([()\[\]])|("(?:[^"\\]|\\.)*")|([^\s()\[\]"]+))')
NEVER = "0"


@dataclass(frozen=True)
class Condition:
    """A WHERE clause and its parameters."""

    sql: str
    parameters: tuple[str, ...] = ()


EVERYTHING = Condition("1")


def compile_filter(text: str) -> Condition:
    """Return the condition that `text` stands for.

    Raises RejectedRequest (400, text) where it cannot be parsed, OperationError where Kanidm cannot run it.
    """
    parser = _Parser(_tokens(text))
    condition = parser.disjunction(1)
    if parser.rest:
        raise _syntax(f"`{parser.rest[0]}` is one word too many")
    return condition


def _syntax(fault: str) -> RejectedRequest:
    return RejectedRequest(f"Failed to deserialize query string: filter: {fault}")


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise _syntax(f"nothing can be read at {position}")
        found.append(match.group().strip())
        position = match.end()
    return found


@dataclass
class _Parser:
    """Recursive descent: `or` binds weakest, then `and`, then `not` and parentheses."""

    rest: list[str]
    elements: int = field(default=0)

    def disjunction(self, depth: int) -> Condition:
        return self._joined("or", self._conjunction, depth)

    def _conjunction(self, depth: int) -> Condition:
        return self._joined("and", self._term, depth)

    def _joined(self, word: str, part: Callable[[int], Condition], depth: int) -> Condition:
        parts = [part(depth)]
        while self._skip(word):
            parts.append(part(depth))
        sql = f" {word} ".join(f"({each.sql})" for each in parts)
        return Condition(sql, tuple(value for each in parts for value in each.parameters))

    def _term(self, depth: int) -> Condition:
        self._count(depth)
        if self._skip("not"):
            inner = self._group(depth)
            return Condition(f"not ({inner.sql})", inner.parameters)
        if self.rest and self.rest[0] == "(":
            return self._group(depth)
        return self._comparison()

    def _group(self, depth: int) -> Condition:
        self._expect("(")
        inner = self.disjunction(depth + 1)
        self._expect(")")
        return inner

    def _comparison(self) -> Condition:
        attribute, operator = self._next(), self._next().lower()
        if operator == "[" or "." in attribute:
            raise OperationError(500, "filtergeneration")
        if operator == "pr":
            return _present(attribute)
        if operator not in COMPARISONS:
            raise _syntax(f"`{operator}` is not an operator")
        return _compared(attribute, operator, self._value())

    def _value(self) -> object:
        word = self._next()
        try:
            return json.loads(word)
        except ValueError as error:
            raise _syntax(f"`{word}` is not a value") from error

    def _count(self, depth: int) -> None:
        self.elements += 1
        if depth > MAX_NESTING:
            raise _syntax("it is nested too deeply")
        if self.elements > MAX_ELEMENTS or depth > MAX_DEPTH:
            raise OperationError(500, "resourcelimit")

    def _next(self) -> str:
        if not self.rest:
            raise _syntax("it ends too early")
        return self.rest.pop(0)

    def _skip(self, word: str) -> bool:
        if self.rest and self.rest[0].lower() == word:
            self.rest.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise _syntax(f"`{word}` is missing")


def _present(attribute: str) -> Condition:
    match attribute.lower():
        case "uuid":
            return Condition("1")
        case "sent_at":
            return Condition("sent_at IS NOT NULL")
        case name if name in ATTRIBUTES:
            return Condition("coalesce(json_type(body, ?), 'null') != 'null'", (f"$.{name}",))
        case name if name in ELSEWHERE:
            return Condition(NEVER)
    raise OperationError(400, {"schemaviolation": {"invalidattribute": attribute}})


def _compared(attribute: str, operator: str, value: object) -> Condition:
    name = attribute.lower()
    if name not in {"uuid", *ATTRIBUTES, *ELSEWHERE}:
        raise OperationError(400, {"invalidattributename": attribute})
    if operator == "ne":
        raise OperationError(500, "filtergeneration")
    if name in ATTRIBUTES and name != "class":
        raise OperationError(400, {"invalidattribute": name})
    if operator != "eq":
        raise OperationError(500, "filtergeneration")
    return _equal(name, value)


def _equal(name: str, value: object) -> Condition:
    if not isinstance(value, str):
        raise OperationError(400, {"invalidattribute": name})
    match name:
        case "class":
            return Condition("EXISTS (SELECT 1 FROM json_each(body, '$.class') WHERE value = ?)", (value.lower(),))
        case "uuid":
            return Condition("uuid = ?", (_uuid(value),))
    return Condition(NEVER)


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise OperationError(400, {"invalidattribute": "uuid"}) from error
