"""What a request's path, query and body say, read as strictly as Kanidm reads them.

What cannot be read is answered in plain text, before anybody asks who is calling (wire sections 5 and 6).
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass

from starlette.datastructures import QueryParams
from starlette.requests import Request

from server_stub.entry import Page
from server_stub.errors import RejectedRequest
from server_stub.scim_filter import EVERYTHING, Condition, compile_filter

GROUPS = (8, 4, 4, 4, 12)
DIGITS = re.compile(r"\d{1,19}")


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
class Query:
    """The query parameters of an entry or a list; unknown ones are ignored, `sortBy` too (wire section 4)."""

    condition: Condition
    page: Page | None
    attributes: tuple[str, ...] | None
    access_check: bool

    @property
    def changes_entries(self) -> bool:
        """Whether entries go out otherwise than they are stored."""
        return self.access_check or self.attributes is not None


def read_query(parameters: QueryParams) -> Query:
    """Return what the query asks for.

    Raises RejectedRequest, or OperationError for a filter that Kanidm cannot run.
    """
    count, start = (_positive(parameters, name) for name in ("count", "startIndex"))
    names = parameters.get("attributes")
    text = parameters.get("filter")
    return Query(
        condition=EVERYTHING if text is None else compile_filter(text),
        page=None if count is None else Page(start or 1, count),
        attributes=None if names is None else tuple(name.strip().lower() for name in names.split(",")),
        access_check=_truth(parameters, "extAccessCheck"),
    )


def _positive(parameters: QueryParams, name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not DIGITS.fullmatch(text):
        raise RejectedRequest(f"Failed to deserialize query string: {name}: invalid digit found in string")
    if int(text) == 0:
        raise RejectedRequest(
            f"Failed to deserialize query string: {name}: invalid value: integer `0`, expected a nonzero u64"
        )
    return int(text)


def _truth(parameters: QueryParams, name: str) -> bool:
    text = parameters.get(name, "false")
    if text not in {"true", "false"}:
        raise RejectedRequest(
            f"Failed to deserialize query string: {name}: provided string was not `true` or `false`"
        )
    return text == "true"


@dataclass(frozen=True)
class ResetRequest:
    """The body of a credential reset: a lifetime in seconds and another of the account's addresses, both optional."""

    ttl: int | None
    email: str | None


async def read_reset(request: Request) -> ResetRequest:
    """Return the body. Raises RejectedRequest: 415 not JSON by its type, 400 not JSON, 422 JSON of a wrong type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RejectedRequest("Expected request with `Content-Type: application/json`", 415)
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise RejectedRequest("Failed to parse the request body as JSON") from error
    match body:
        case dict():
            ttl, email = body.get("ttl"), body.get("email")
            if _is_u64(ttl) and isinstance(email, str | None):
                return ResetRequest(ttl, email)
    raise RejectedRequest("Failed to deserialize the JSON body into the target type: invalid type", 422)


def _is_u64(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 2**64)
