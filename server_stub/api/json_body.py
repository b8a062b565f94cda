"""Request bodies of JSON; a body that is not JSON is refused in plain text (docs/kanidm-wire.md, Error bodies).

The words before the last colon are those of the framework that Kanidm is built on; what follows is its parser's
wording, which no client should read.
"""

from __future__ import annotations

import json

from starlette.requests import Request

from server_stub.errors import RejectedRequest


async def read_object(request: Request) -> dict[str, object]:
    """Return the body. Raises RejectedRequest: 415 not JSON by its type, 400 not JSON, 422 JSON that is no object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise RejectedRequest("Expected request with `Content-Type: application/json`", 415)
    try:
        body = json.loads(await request.body(), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise RejectedRequest(f"Failed to parse the request body as JSON: {_place(error)}") from error
    if not isinstance(body, dict):
        raise wrong_type("invalid type: expected a map")
    return body


def wrong_type(fault: str) -> RejectedRequest:
    """Return the refusal of JSON that says something else than it should (422)."""
    return RejectedRequest(f"Failed to deserialize the JSON body into the target type: {fault}", 422)


def _place(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"expected value at line {error.lineno} column {error.colno}"
    return "expected value at line 1 column 1"


def _not_json(word: str) -> None:
    raise ValueError(word)
