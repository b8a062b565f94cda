"""An HTTP server that answers as it is told, over real sockets, with TLS or without.

It stands for all that is not Kanidm: proxies, login pages, servers that fail.
"""

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Answer:
    """A status, a body and headers; a `hang` answers only when the server closes, and so come `missing` octets."""

    status: int = 200
    body: bytes = b"null"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    missing: int = 0


Respond = Callable[[str, str], Answer]


class ScriptedServer:
    """A server on a free port of loopback; `respond` gets method and path, `posted` are headers and bodies."""

    def __init__(self, respond: Respond, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, str]] = []
        self.posted: list[tuple[Mapping[str, str], bytes]] = []
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, respond))
        self._server.daemon_threads = True
        scheme = "http"
        if tls is not None:
            scheme = "https"
            # The handshake belongs to the connection's thread, or a client that breaks it off stops all.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{scheme}://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait(self) -> None:
        """Hold a request until the server closes."""
        self._released.wait()


def _handler(server: ScriptedServer, respond: Respond) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.requests.append((self.command, self.path))
            if self.command == "POST":
                body = self.rfile.read(int(self.headers["content-length"]))
                server.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = respond(self.command, self.path)
            if answer.hang:
                server.wait()
                return
            self.send_response_only(answer.status)
            usual = {"content-type": "application/json", "date": self.date_time_string()}
            for name, value in {**usual, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body) + answer.missing))
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.missing:
                server.wait()

        do_POST = do_GET  # noqa: N815 - as above

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            """Keep quiet."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

    return Handler
