"""Serves the page of previews to this machine alone, until Ctrl-C.

It listens on 127.0.0.1 and answers GET and HEAD. A request that names another host is refused, so that no other web
site can reach the page through a name that points here (DNS rebinding). A Content-Security-Policy keeps the page from
loading anything but its own files, and a mail from loading or running anything at all.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mail_sender.errors import MailSenderError
from mail_sender.preview import page
from mail_sender.preview.page import FILES, Previews

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 2
"""How long requests may still run after Ctrl-C."""
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_POLICY = "content-security-policy"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_SECURITY_HEADERS = {
    _POLICY: "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every response has, unless its handler set another value."""


class Server:
    """The server on a socket that already listens."""

    def __init__(self, listening: socket.socket, previews: Previews) -> None:
        self._listening = listening
        self.address: tuple[str, int] = listening.getsockname()
        names = frozenset(f"{host}:{self.address[1]}" for host in (LOOPBACK, "localhost"))
        self._server = uvicorn.Server(
            uvicorn.Config(
                _Gate(_application(previews), names),
                http="h11",
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.address[1]}/"

    def serve(self) -> None:
        """Answer until Ctrl-C, or until `stop`."""
        with suppress(KeyboardInterrupt):
            self._server.run([self._listening])

    def stop(self) -> None:
        """End `serve`, which runs in another thread."""
        self._server.should_exit = True


@contextmanager
def listen(port: int, previews: Previews) -> Iterator[Server]:
    """Give the server while it listens; port 0 is any free port.

    Raises `MailSenderError` if the port cannot be used.
    """
    try:
        listening = socket.create_server((LOOPBACK, port))
    except OSError as error:
        advice = "--serve 0 takes a free port"
        raise MailSenderError(f"cannot serve on {LOOPBACK}:{port}: {error.strerror}; {advice}") from None
    with listening:
        yield Server(listening, previews)


class _Gate:
    """ASGI wrapper: refuses requests to another host, and completes every response with the security headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        named = Headers(scope=scope).getlist("host")
        is_ours = len(named) == 1 and named[0] in self._hosts
        answer = self._app if is_ours else _sentence(421, f"ask for {' or '.join(sorted(self._hosts))}")
        await answer(scope, receive, complete)


def _application(previews: Previews) -> Starlette:
    # The handlers are plain functions: Starlette runs them in threads, as making mails takes a while.
    def show_page(_: Request) -> Response:
        return HTMLResponse(previews.page(), headers={_POLICY: _PAGE_POLICY})

    def show_mail(request: Request) -> Response:
        path = request.path_params
        try:
            sample = previews.sample(path["kind"], path["language"])
        except MailSenderError as error:
            raise HTTPException(404, str(error)) from None
        headers = {_POLICY: _MAIL_POLICY}
        if path["form"] == "html" and sample.html is not None:
            return HTMLResponse(page.coloured(sample.html, request.url.query), headers=headers)
        if path["form"] == "txt":
            return PlainTextResponse(sample.text, headers=headers)
        if path["form"] == "eml":
            return Response(sample.mail.content, media_type="message/rfc822", headers=headers)
        raise HTTPException(404, "there is no such part")

    files = [_file(path) for path in FILES.iterdir() if path.suffix in _TYPES]
    mail = Route("/mail/{kind}/{language}.{form}", show_mail)
    return Starlette(routes=[Route("/", show_page), *files, mail], exception_handlers=_FAULTS)


def _file(path: Path) -> Route:
    def show_file(_: Request) -> Response:
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix])

    return Route(f"/{path.name}", show_file)


def _http_fault(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    return _sentence(error.status_code, error.detail)


def _crash(_: Request, error: Exception) -> Response:
    return _sentence(500, f"the request failed: {type(error).__name__}")


def _sentence(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


_FAULTS = {HTTPException: _http_fault, Exception: _crash}
