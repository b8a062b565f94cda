"""One connection from the relay's side: a socket, TLS when it is time, and a cut at one octet of either direction.

TLS runs over memory buffers, so that what is counted and cut is plain text, and nothing is read ahead or written late.
`up` and `down` count the octets that the client and the relay have said so far, TLS taken off.
"""

import asyncio
import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

_CHUNK = 65536


class How(StrEnum):
    """How a connection ends in the middle."""

    FIN = "FIN"
    RST = "RST"
    STALL = "stall"


@dataclass(frozen=True)
class Cut:
    """The end of a connection when so many octets have gone up (to the relay) or down (to the client)."""

    direction: Literal["up", "down"]
    after: int
    how: How

    def __str__(self) -> str:
        """Give the name of a case."""
        return f"{self.direction}-{self.after:05}-{self.how}"


class Gone(ConnectionResetError):
    """The conversation is over: the client has closed the connection, or the place of the cut is reached."""


class Wire:
    """A connection that the relay has taken; `clear` keeps what the client said before TLS.

    `is_cut` is set when the place of the cut is reached, `arrived` is when the client's last octets did.
    """

    def __init__(self, sock: socket.socket, now: Callable[[], datetime], cut: Cut | None = None) -> None:
        self.up = self.down = 0
        self.arrived = now()
        self._now = now
        self.is_cut = False
        self.clear = b""
        self.version: str | None = None
        self.peer: tuple[str, int] = sock.getpeername()[:2]
        self._sock = sock
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._buffer = b""

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Take the client's handshake.

        Raises `Gone`, `ssl.SSLError`.
        """
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        # What the client sent ahead of its turn is a part of its handshake, or spoils it.
        self._incoming.write(self._buffer)
        self._buffer = b""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await self._receive())
            except ssl.SSLError:
                await self._flush()
                raise
        await self._flush()
        self.version = self._tls.version()

    async def line(self) -> bytes:
        """Return the client's next line, without its end."""
        return (await self.until(b"\n")).rstrip(b"\r\n")

    async def until(self, end: bytes) -> bytes:
        """Return all up to some octets and with them. Raises `Gone`."""
        while end not in self._buffer:
            self._require_budget()
            self._buffer += self._counted(await self._plain())
            self.arrived = self._now()
        found, _, self._buffer = self._buffer.partition(end)
        return found + end

    @property
    def has_line(self) -> bool:
        """Whether the client has said more than was obeyed so far."""
        return b"\n" in self._buffer

    def forget(self) -> None:
        """Throw away what the client has said and was not obeyed so far."""
        self._buffer = b""

    async def send(self, octets: bytes) -> None:
        """Send octets, as far as the cut allows. Raises `Gone`."""
        self._require_budget()
        if self._cut and self._cut.direction == "down":
            octets = octets[: self._cut.after - self.down]
        self.down += len(octets)
        if self._tls is None:
            await self._send(octets)
        elif octets:
            self._tls.write(octets)
            await self._flush()
        self._require_budget()

    def require_silence(self) -> None:
        """Raise `Gone` where the client has said or closed something out of its turn."""
        if select.select([self._sock], [], [], 0)[0]:
            raise Gone

    async def end(self, how: How) -> None:
        """End the connection so, and wait until the client has noticed."""
        with contextlib.suppress(Gone, OSError):
            if how is How.RST:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if how is How.FIN:
                await self._say_goodbye()
            while True:
                await self._receive()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _require_budget(self) -> None:
        if self._cut and (self.up if self._cut.direction == "up" else self.down) >= self._cut.after:
            self.is_cut = True
            raise Gone

    def _counted(self, octets: bytes) -> bytes:
        if self._cut and self._cut.direction == "up":
            octets = octets[: self._cut.after - self.up]
        self.up += len(octets)
        return octets

    async def _plain(self) -> bytes:
        if self._tls is None:
            return await self._receive()
        while True:
            try:
                if octets := self._tls.read(_CHUNK):
                    return octets
                raise Gone
            except ssl.SSLWantReadError:
                self._incoming.write(await self._receive())
            except ssl.SSLError as error:
                raise Gone from error

    async def _say_goodbye(self) -> None:
        if self._tls is not None:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            await self._flush()
        self._sock.shutdown(socket.SHUT_WR)

    async def _flush(self) -> None:
        if octets := self._outgoing.read():
            await self._send(octets)

    async def _send(self, octets: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._sock, octets)
        except OSError as error:
            raise Gone from error

    async def _receive(self) -> bytes:
        try:
            octets = await self._loop.sock_recv(self._sock, _CHUNK)
        except OSError as error:
            raise Gone from error
        if not octets:
            raise Gone
        if self._tls is None:
            self.clear += octets
        return octets
