"""SCIM filters (RFC 7644 section 3.4.2.2), read into a tree.

A filter that cannot be read is refused in plain text before the token is checked. `filter_sql` refuses a filter that
can be read but not run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from server_stub.errors import RejectedRequest

MAX_NESTING = 128  # of Kanidm's parser; deeper text is a syntax error
COMPARISONS = {"eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"}
TOKEN = re.compile(r'\s*(?:([()\[\]])|("(?:[^"\\]|\\.)*")|([^\s()\[\]"]+))')


@dataclass(frozen=True)
class Present:
    """`attribute pr`."""

    attribute: str


@dataclass(frozen=True)
class Compared:
    """`attribute operator value`, the operator in lower case."""

    attribute: str
    operator: str
    value: object


@dataclass(frozen=True)
class Complex:
    """`attribute[...]`, which Kanidm reads and cannot run."""

    attribute: str


@dataclass(frozen=True)
class Negated:
    """`not (...)`."""

    inner: Filter


@dataclass(frozen=True)
class Joined:
    """Two or more parts with `and` or `or` between them."""

    word: str
    parts: tuple[Filter, ...]


Filter = Present | Compared | Complex | Negated | Joined


def parse(text: str) -> Filter:
    """Return the tree that `text` stands for. Raises RejectedRequest (400, text)."""
    parser = _Parser(_tokens(text))
    tree = parser.disjunction(1)
    if parser.rest:
        raise _syntax(f"`{parser.rest[0]}` is one word too many")
    return tree


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

    def disjunction(self, depth: int) -> Filter:
        if depth > MAX_NESTING:
            raise _syntax("it is nested too deeply")
        return self._joined("or", self._conjunction, depth)

    def _conjunction(self, depth: int) -> Filter:
        return self._joined("and", self._term, depth)

    def _joined(self, word: str, part: Callable[[int], Filter], depth: int) -> Filter:
        parts = [part(depth)]
        while self._skip(word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _term(self, depth: int) -> Filter:
        if self._skip("not"):
            return Negated(self._group("(", ")", depth))
        if self.rest and self.rest[0] == "(":
            return self._group("(", ")", depth)
        return self._comparison(depth)

    def _group(self, opening: str, closing: str, depth: int) -> Filter:
        self._expect(opening)
        inner = self.disjunction(depth + 1)
        self._expect(closing)
        return inner

    def _comparison(self, depth: int) -> Filter:
        attribute = self._next()
        if self.rest and self.rest[0] == "[":
            self._group("[", "]", depth)
            return Complex(attribute)
        operator = self._next().lower()
        if operator == "pr":
            return Present(attribute)
        if operator not in COMPARISONS:
            raise _syntax(f"`{operator}` is not an operator")
        return Compared(attribute, operator, self._value())

    def _value(self) -> object:
        word = self._next()
        try:
            return json.loads(word)
        except ValueError as error:
            raise _syntax(f"`{word}` is not a value") from error

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
