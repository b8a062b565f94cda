"""Filters turned into SQL, as far as Kanidm can run them.

Kanidm can test presence (`pr`) of what it knows, and equality of `class` and `uuid`; `and`, `or` and `not (...)` join
them. Every other filter, and one with too many parts, is refused as Kanidm refuses it (docs/kanidm-wire.md, Query
parameters).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from server_stub.errors import OperationError
from server_stub.queue.entry import ATTRIBUTES
from server_stub.queue.scim_filter import Compared, Complex, Filter, Joined, Negated, Present

MAX_ELEMENTS = 32
MAX_DEPTH = 12
# Attributes that Kanidm's schema knows and that no message has.
ELSEWHERE = {"name", "displayname", "spn", "mail", "memberof", "directmemberof", "description", "last_modified_cid"}
KNOWN = {"uuid", *ATTRIBUTES, *ELSEWHERE}


@dataclass(frozen=True)
class Condition:
    """A WHERE clause and its parameters."""

    sql: str
    parameters: tuple[str | int, ...] = ()


EVERYTHING = Condition("1")
NOTHING = Condition("0")


def compile_filter(tree: Filter | None) -> Condition:
    """Return the condition that a filter, or none, stands for. Raises OperationError if Kanidm cannot run it."""
    if tree is None:
        return EVERYTHING
    if _elements(tree) > MAX_ELEMENTS or _depth(tree) > MAX_DEPTH:
        raise OperationError(500, "resourcelimit")
    return _condition(tree)


def _parts(tree: Filter) -> tuple[Filter, ...]:
    match tree:
        case Joined():
            return tree.parts
        case Negated():
            return (tree.inner,)
    return ()


def _elements(tree: Filter) -> int:
    parts = _parts(tree)
    return len(parts) + sum(_elements(part) for part in parts)


def _depth(tree: Filter) -> int:
    return 1 + max((_depth(part) for part in _parts(tree)), default=0)


def _condition(tree: Filter) -> Condition:
    match tree:
        case Joined():
            parts = [_condition(part) for part in tree.parts]
            sql = f" {tree.word} ".join(f"({part.sql})" for part in parts)
            return Condition(sql, tuple(value for part in parts for value in part.parameters))
        case Negated():
            inner = _condition(tree.inner)
            return Condition(f"not ({inner.sql})", inner.parameters)
        case Complex():
            raise OperationError(500, "filtergeneration")
    if "." in tree.attribute:
        raise OperationError(500, "filtergeneration")
    return _present(tree) if isinstance(tree, Present) else _compared(tree)


def _present(test: Present) -> Condition:
    match test.attribute.lower():
        case "uuid":
            return EVERYTHING
        case "sent_at":
            return Condition("sent_at IS NOT NULL")
        case name if name in ATTRIBUTES:
            return Condition("coalesce(json_type(body, ?), 'null') != 'null'", (f"$.{name}",))
        case name if name in ELSEWHERE:
            return NOTHING
    raise OperationError(400, {"schemaviolation": {"invalidattribute": test.attribute}})


def _compared(test: Compared) -> Condition:
    name = test.attribute.lower()
    if name not in KNOWN:
        raise OperationError(400, {"invalidattributename": test.attribute})
    if test.operator == "ne":
        raise OperationError(500, "filtergeneration")
    if name in ATTRIBUTES and name != "class":
        raise OperationError(400, {"invalidattribute": name})
    if test.operator != "eq":
        raise OperationError(500, "filtergeneration")
    return _equal(name, test.value)


def _equal(name: str, value: object) -> Condition:
    if not isinstance(value, str):
        raise OperationError(400, {"invalidattribute": name})
    match name:
        case "class":
            return Condition("EXISTS (SELECT 1 FROM json_each(body, '$.class') WHERE value = ?)", (value.lower(),))
        case "uuid":
            return Condition("uuid = ?", (_uuid(value),))
    return NOTHING


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise OperationError(400, {"invalidattribute": "uuid"}) from error
