"""Whom a server answers, what each response has, and what a fault looks like: one sentence, never a traceback.

On loopback a request that names another host is refused, so that no web site can reach the server through a name that
points here (DNS rebinding). The port does not matter: a browser that was led here still names the site that led it,
and whoever comes through a tunnel (ssh -L) comes by another port. A request without any name is no browser's.
"""

from collections.abc import Container
from email.utils import formatdate

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
POLICY = "content-security-policy"
_SECURITY_HEADERS = {
    POLICY: "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every response has, unless its handler set another value."""


class Gate:
    """ASGI wrapper: refuses requests to a host that is not among the names (None: takes all), completes responses."""

    def __init__(self, app: ASGIApp, names: Container[str] | None) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["date"] = formatdate(usegmt=True)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        hosts = Headers(scope=scope).getlist("host")
        is_ours = self._names is None or all(_name(host) in self._names for host in hosts)
        answer = self._app if is_ours else sentence(421, "this server answers under localhost and its address alone")
        await answer(scope, receive, complete)


def _name(host: str) -> str:
    """Return a Host header without its port (RFC 9110, section 7.2)."""
    return f"{host.partition(']')[0]}]" if host.startswith("[") else host.partition(":")[0].lower()


def sentence(status: int, text: str) -> Response:
    """Return a response that is one sentence."""
    return PlainTextResponse(f"{text}\n", status)


def _http_fault(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    response = sentence(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


def _crash(_: Request, error: Exception) -> Response:
    return sentence(500, f"the request failed: {type(error).__name__}")


FAULTS: dict[type[Exception], ExceptionHandler] = {HTTPException: _http_fault, Exception: _crash}
"""The exception handlers of an application."""
