"""Serves the page of previews to this machine alone, until Ctrl-C.

It listens on 127.0.0.1 and answers GET and HEAD. A request that names another host is refused, so that no other web
site can reach the page through a name that points here (DNS rebinding). A Content-Security-Policy keeps the page from
loading anything but its own files, and a mail from loading or running anything at all.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from mail_sender.errors import MailSenderError
from mail_sender.preview import page
from mail_sender.preview.page import FILES, Previews
from mail_sender.web.files import file_routes
from mail_sender.web.gate import FAULTS, LOOPBACK_NAMES, POLICY, Gate

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 2
"""How long requests may still run after Ctrl-C."""
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


class Server:
    """The server on a socket that already listens."""

    def __init__(self, listening: socket.socket, previews: Previews) -> None:
        self._listening = listening
        self.address: tuple[str, int] = listening.getsockname()
        self._server = uvicorn.Server(
            uvicorn.Config(
                Gate(_application(previews), LOOPBACK_NAMES),
                http="h11",
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
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


def _application(previews: Previews) -> Starlette:
    # The handlers are plain functions: Starlette runs them in threads, as making mails takes a while.
    def show_page(_: Request) -> Response:
        return HTMLResponse(previews.page(), headers={POLICY: _PAGE_POLICY})

    def show_mail(request: Request) -> Response:
        path = request.path_params
        try:
            sample = previews.sample(path["kind"], path["language"])
        except MailSenderError as error:
            raise HTTPException(404, str(error)) from None
        headers = {POLICY: _MAIL_POLICY}
        if path["form"] == "html" and sample.html is not None:
            return HTMLResponse(page.coloured(sample.html, request.url.query), headers=headers)
        if path["form"] == "txt":
            return PlainTextResponse(sample.text, headers=headers)
        if path["form"] == "eml":
            return Response(sample.mail.content, media_type="message/rfc822", headers=headers)
        raise HTTPException(404, "there is no such part")

    mail = Route("/mail/{kind}/{language}.{form}", show_mail)
    return Starlette(routes=[Route("/", show_page), *file_routes(FILES), mail], exception_handlers=FAULTS)
