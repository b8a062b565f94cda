"""What a request's path, query and body say, read as strictly as Kanidm reads them.

A parameter that cannot be read is refused in plain text, before the token is checked (docs/kanidm-wire.md, Error
bodies).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TypeGuard

from starlette.datastructures import QueryParams
from starlette.requests import Request

from server_stub.api.json_body import read_object, wrong_type
from server_stub.errors import RejectedRequest
from server_stub.queue.entry import Page
from server_stub.queue.scim_filter import Filter, parse

GROUPS = (8, 4, 4, 4, 12)
DIGITS = re.compile(r"[0-9]{1,20}")
PARAMETERS = ("attributes", "extAccessCheck", "sortBy", "sortOrder", "startIndex", "count", "filter")


def message_id(text: str) -> str:
    """Return the id of a path in its usual form. Raises RejectedRequest with the words of Rust's uuid crate."""
    fault = _uuid_fault(text)
    if fault:
        raise RejectedRequest(f"Invalid URL: Cannot parse `id` with value `{text}`: UUID parsing failed: {fault}")
    return str(uuid.UUID(text))


def _uuid_fault(text: str) -> str | None:
    odd = re.search(r"[^0-9a-fA-F-]", text)
    groups = text.split("-")
    if odd:
        return f"invalid character: found `{odd.group()}` at {odd.start()}"
    if len(groups) == 1:
        return None if len(text) == 32 else f"invalid length: expected length 32 for simple format, found {len(text)}"
    if len(groups) != len(GROUPS):
        return f"invalid group count: expected 5, found {len(groups)}"
    for number, (group, wanted) in enumerate(zip(groups, GROUPS, strict=True)):
        if len(group) != wanted:
            return f"invalid group length in group {number}: expected {wanted}, found {len(group)}"
    return None


@dataclass(frozen=True)
class Shape:
    """How entries are shown: reduced to some attributes, and with what the caller may do to them."""

    attributes: tuple[str, ...] | None
    access_check: bool

    @property
    def changes_entries(self) -> bool:
        """Whether entries go out otherwise than they are stored."""
        return self.access_check or self.attributes is not None


@dataclass(frozen=True)
class Query:
    """The query of an entry or a list; unknown parameters are ignored (docs/kanidm-wire.md, Query parameters)."""

    filter: Filter | None
    page: Page | None
    shape: Shape


def read_query(parameters: QueryParams) -> Query:
    """Return what the query asks for; `sortBy` and `sortOrder` are read and not used. Raises RejectedRequest."""
    _check_once(parameters)
    count, start = (_positive(parameters, name) for name in ("count", "startIndex"))
    names = parameters.get("attributes")
    text = parameters.get("filter")
    _check_order(parameters.get("sortOrder", "ascending"))
    attributes = None if names is None else tuple(name.strip().lower() for name in names.split(","))
    return Query(
        filter=None if text is None else parse(text),
        page=None if count is None else Page(start or 1, count),
        shape=Shape(attributes, _truth(parameters, "extAccessCheck")),
    )


def _check_once(parameters: QueryParams) -> None:
    for name in PARAMETERS:
        if len(parameters.getlist(name)) > 1:
            raise _unreadable(f"duplicate field `{name}`")


def _check_order(text: str) -> None:
    if text not in {"ascending", "descending"}:
        raise _unreadable(f"sortOrder: unknown variant `{text}`, expected `ascending` or `descending`")


def _positive(parameters: QueryParams, name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not DIGITS.fullmatch(text):
        raise _unreadable(f"{name}: invalid digit found in string")
    if not 0 < int(text) < 2**64:
        raise _unreadable(f"{name}: invalid value: integer `{int(text)}`, expected a nonzero u64")
    return int(text)


def _truth(parameters: QueryParams, name: str) -> bool:
    text = parameters.get(name, "false")
    if text not in {"true", "false"}:
        raise _unreadable(f"{name}: provided string was not `true` or `false`")
    return text == "true"


def _unreadable(fault: str) -> RejectedRequest:
    return RejectedRequest(f"Failed to deserialize query string: {fault}")


@dataclass(frozen=True)
class ResetRequest:
    """The body of a credential reset: a lifetime in seconds and another of the account's addresses, both optional."""

    ttl: int | None
    email: str | None


async def read_reset(request: Request) -> ResetRequest:
    """Return the body. Raises RejectedRequest."""
    body = await read_object(request)
    ttl, email = body.get("ttl"), body.get("email")
    if not _is_u64(ttl):
        raise wrong_type("ttl: invalid type or value, expected u64")
    if not isinstance(email, str | None):
        raise wrong_type("email: invalid type, expected a string")
    return ResetRequest(ttl, email)


def _is_u64(value: object) -> TypeGuard[int | None]:
    return value is None or (type(value) is int and 0 <= value < 2**64)
