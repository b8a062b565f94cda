"""An HTTP proxy that makes tunnels (CONNECT, RFC 9110, section 9.3.6), and keeps where to."""

import contextlib
import select
import socket
import ssl
import threading
from typing import Self

MADE = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectProxy:
    """A proxy on a free port of loopback, under TLS with `tls`; `answer` is what it says before it makes a tunnel.

    `targets` are the tunnels that were asked for, `requests` the heads that asked for them. One that does not say
    that it makes a tunnel makes none.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, answer: bytes = MADE) -> None:
        self.targets: list[str] = []
        self.requests: list[bytes] = []
        self._tls, self._answer = tls, answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"localhost:{self._listener.getsockname()[1]}"
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = [self._listener]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            _end(each)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        try:
            self._serve_one(client)
        except OSError:  # whoever asked has gone, or nobody is there where the tunnel was to lead
            _end(client)

    def _serve_one(self, client: socket.socket) -> None:
        if self._tls is not None:
            client = self._tls.wrap_socket(client, server_side=True)
        self._open.append(client)
        request = b""
        while b"\r\n\r\n" not in request:
            if not (chunk := client.recv(4096)):
                raise ConnectionError
            request += chunk
        self.requests.append(request)
        target = request.split()[1].decode()
        self.targets.append(target)
        client.sendall(self._answer)
        if not self._answer.startswith(MADE[:12]):
            _end(client)
            return
        host, _, port = target.rpartition(":")
        server = socket.create_connection((host, int(port)), timeout=10)
        server.settimeout(None)
        self._open.append(server)
        _pump(client, server)


def _pump(client: socket.socket, server: socket.socket) -> None:
    """Hand over what either says; in one thread, since a TLS connection is no thing for two."""
    others = {client: server, server: client}
    with contextlib.suppress(OSError, ValueError):  # the one of a socket that was closed
        while True:
            is_pending = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if is_pending else select.select([client, server], [], [])[0]
            for source in ready:
                if not (chunk := source.recv(65536)):
                    raise ConnectionError
                others[source].sendall(chunk)
    _end(client)
    _end(server)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
