"""How the API's answers go out: JSON as Kanidm writes it, and each kind of refusal in its own form."""

from __future__ import annotations

import sqlite3

import typer
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ExceptionHandler

from server_stub.errors import OperationError, RejectedRequest
from server_stub.queue.entry import to_text

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")  # in the order in which Kanidm lists them


def body(content: bytes, status: int = 200) -> Response:
    """Return an answer whose JSON is written already."""
    return Response(content, status, media_type="application/json")


def json(value: object, status: int = 200) -> Response:
    """Return an answer of JSON."""
    return body(to_text(value).encode(), status)


def _operation_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, OperationError):
        raise error
    response = json(error.body, error.status)
    if error.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _queue_failed(_: Request, error: Exception) -> Response:
    # The low byte tells the kind of error: SQLITE_BUSY_SNAPSHOT and its kin are busy too.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    locked = code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    if not locked:
        typer.echo(f"The queue cannot be used ({error}); it is tried again at the next call.", err=True)
    return json("databaselockacquisitiontimeout" if locked else "backend", 500)


def _file_failed(_: Request, error: Exception) -> Response:
    name = getattr(error, "filename", None) or "a file"
    typer.echo(f"Cannot use {name} ({getattr(error, 'strerror', None) or error}).", err=True)
    return json("backend", 500)


def _rejected(_: Request, error: Exception) -> Response:
    if not isinstance(error, RejectedRequest):
        raise error
    return PlainTextResponse(error.text, error.status)


def _route_not_found(_: Request, __: Exception) -> Response:
    return PlainTextResponse("Route not found", 404)


def _method_not_allowed(_: Request, error: Exception) -> Response:
    # The router's own list stands in no order.
    headers = error.headers or {} if isinstance(error, HTTPException) else {}
    allowed = {name.strip() for name in headers.get("Allow", "").split(",")}
    return Response(status_code=405, headers={"allow": ",".join(name for name in METHODS if name in allowed)})


ERRORS: dict[int | type[Exception], ExceptionHandler] = {
    404: _route_not_found,
    405: _method_not_allowed,
    OperationError: _operation_error,
    RejectedRequest: _rejected,
    sqlite3.Error: _queue_failed,
    OSError: _file_failed,
}
