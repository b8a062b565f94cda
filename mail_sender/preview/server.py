"""Serves the page of previews to this machine alone, until Ctrl-C.

It listens on 127.0.0.1 and answers GET and HEAD. A request that names another host is refused, so that no web page
elsewhere can reach it under a name of its own (DNS rebinding). A Content-Security-Policy keeps the page from
loading anything but its own files, and a mail from loading or running anything at all.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from urllib.parse import unquote, urlsplit

from mail_sender.errors import MailSenderError
from mail_sender.preview import page
from mail_sender.preview.page import FILES, NoPreview, Shown

LOOPBACK = "127.0.0.1"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; frame-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript"}
Answer = tuple[int, str, bytes]
"""Status, media type, content."""


class Server(ThreadingMixIn, TCPServer):
    """The server, bound to a port of 127.0.0.1."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, shown: Shown) -> None:
        self.shown = shown
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"

    @property
    def names(self) -> frozenset[str]:
        """The hosts under which it may be asked."""
        port = self.server_address[1]
        return frozenset(f"{host}:{port}" for host in (LOOPBACK, "localhost"))

    def serve(self) -> None:
        """Answer until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self.serve_forever()

    def handle_error(self, _request: object, _address: object) -> None:
        """Say what went wrong; a browser that went away is nothing to tell."""
        error = sys.exception()
        if not isinstance(error, OSError):
            sys.stderr.write(f"a request failed: {type(error).__name__}\n")


@contextmanager
def listen(port: int, shown: Shown) -> Iterator[Server]:
    """Give the server while it listens.

    Raises `MailSenderError` where the port cannot be had.
    """
    try:
        server = Server(port, shown)
    except OSError as error:
        cure = "--serve 0 takes a free port"
        raise MailSenderError(f"cannot serve on {LOOPBACK}:{port}: {error.strerror}; {cure}") from None
    with server:
        yield server


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    timeout = 30
    server_version = "mail-sender"
    sys_version = ""
    _policy = "default-src 'none'"

    def do_GET(self) -> None:
        """Answer with a page, a file of it, or a mail."""
        status, media_type, content = self._answer()
        self.send_response(status)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def end_headers(self) -> None:
        """End the headers with those that every answer has."""
        self.send_header("Content-Security-Policy", self._policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self) -> Answer:
        if self.headers.get_all("Host") not in [[name] for name in self.server.names]:
            return _sentence(421, f"ask for {self.server.url}, under that name alone")
        asked = urlsplit(self.path)
        path = unquote(asked.path)
        if path == "/":
            self._policy = _PAGE_POLICY
            return 200, "text/html", self.server.shown.page().encode()
        if path.startswith("/mail/"):
            return self._mail(path.removeprefix("/mail/"), asked.query)
        return _file(path.removeprefix("/"))

    def _mail(self, path: str, colours: str) -> Answer:
        kind, _, file = path.partition("/")
        language, _, form = file.partition(".")
        self._policy = _MAIL_POLICY
        try:
            made = self.server.shown.preview(kind, language)
        except NoPreview as error:
            return _sentence(404, str(error))
        if form == "html" and made.html is not None:
            return 200, "text/html", page.coloured(made.html, colours).encode()
        if form == "txt":
            return 200, "text/plain", made.text.encode()
        return (
            (200, "message/rfc822", made.mail.content) if form == "eml" else _sentence(404, "there is no such part")
        )


def _file(name: str) -> Answer:
    known = {path.name: path for path in FILES.iterdir() if path.suffix in _TYPES}
    if name not in known:
        return _sentence(404, "there is no such page")
    return 200, _TYPES[known[name].suffix], known[name].read_bytes()


def _sentence(status: int, text: str) -> Answer:
    return status, "text/plain", f"{text}\n".encode()
