"""A relay whose every octet a test writes: for what no relay in its right mind would say, or when.

A play is a function that gets a `Wire` for each connection and runs on a thread of its own; when it returns, or the
client is gone, the connection is closed.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Self

EHLO = "250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n"
_SECONDS = 30.0  # a client that says nothing for so long is gone


class Gone(Exception):
    """The client has closed the connection."""


class Wire:
    """One connection, from the relay's side.

    `number` counts them from 1, `heard` is all that came in clear, `done` is set when the test is, `over` when the play is.
    """

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext, number: int) -> None:
        self.number = number
        self.heard = b""
        self.done = threading.Event()
        self.over = threading.Event()
        self._sock = sock
        self._tls = tls
        self._buffer = bytearray()

    def tls(self) -> None:
        """Take the client's TLS handshake."""
        self._sock = self._tls.wrap_socket(self._sock, server_side=True)

    def send(self, text: str | bytes) -> None:
        """Send octets, as one packet."""
        self._sock.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self) -> str:
        """Return the next line, without its end."""
        return self.until(b"\r\n").decode(errors="replace")

    def until(self, end: bytes) -> bytes:
        """Return all up to some octets."""
        looked_at = 0
        while (at := self._buffer.find(end, looked_at)) < 0:
            looked_at = max(0, len(self._buffer) - len(end))
            self._more()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return found

    def heard_for(self, seconds: float) -> bytes:
        """Return all that comes in so many seconds, and leave it to be read."""
        self._sock.settimeout(seconds)
        with contextlib.suppress(Gone):
            self._more()
        self._sock.settimeout(_SECONDS)
        return bytes(self._buffer)

    @property
    def has_more(self) -> bool:
        """Whether more came together with what was read last."""
        return bool(self._buffer)

    def heard_until_silence(self) -> bytes:
        """Return all that comes until the client closes."""
        with contextlib.suppress(Gone):
            while True:
                self._more()
        return bytes(self._buffer)

    def login(self, ehlo: str = EHLO) -> None:
        """Play a relay in its right mind over implicit TLS, up to and with its 235."""
        self.tls()
        self.send("220 relay.example\r\n")
        for reply in (ehlo, "235 2.7.0 welcome\r\n"):
            self.line()
            self.send(reply)

    def until_data(self) -> None:
        """Go on up to, and without, the reply to DATA."""
        while not self.line().startswith("DATA"):
            self.send("250 2.0.0 ok\r\n")

    def reset(self) -> None:
        """End the connection with a RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def _more(self) -> None:
        try:
            chunk = self._sock.recv(65536)
        except OSError:
            raise Gone from None
        if not chunk:
            raise Gone
        self._buffer += chunk
        if not isinstance(self._sock, ssl.SSLSocket):
            self.heard += chunk


Play = Callable[[Wire], None]


class PuppetRelay:
    """A relay on a free port of loopback; `wires` are its connections so far."""

    def __init__(self, play: Play, tls: ssl.SSLContext) -> None:
        self.wires: list[Wire] = []
        self._play = play
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    async def ended(self, number: int) -> bool:
        """Wait for the end of a connection; say whether it came."""
        return await asyncio.to_thread(self.wires[number - 1].over.wait, _SECONDS / 2)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self.wires:
            wire.done.set()
            wire.close()
        for thread in self._threads:
            thread.join(_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_SECONDS)
            self.wires.append(Wire(sock, self._tls, len(self.wires) + 1))
            self._start(self._perform, self.wires[-1])

    def _perform(self, wire: Wire) -> None:
        with contextlib.suppress(Gone, OSError):
            self._play(wire)
        wire.close()
        wire.over.set()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
