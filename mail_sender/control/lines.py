"""The lines that come over a connection, read in time: whoever sends them one octet at a time is not waited for.

A time-out of a socket is for one read alone, and begins anew with each octet.
"""

import socket
import time
from collections.abc import Callable

_CHUNK = 64 * 1024


class Lines:
    """The lines of a connection, of at most `longest` octets each.

    Each has so many seconds to come; `in_all` says that all of them together have.
    """

    def __init__(
        self,
        connection: socket.socket,
        longest: int,
        seconds: float,
        *,
        in_all: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._longest = longest
        self._seconds = seconds
        self._in_all = in_all
        self._now = now
        self._ends = now() + seconds
        self._buffer = bytearray()

    def next(self) -> bytes:
        """Return the next line, or what came of it before the connection ended or it was too long.

        Raises `TimeoutError`, and `OSError` if the connection breaks.
        """
        if not self._in_all:
            self._ends = self._now() + self._seconds
        while b"\n" not in self._buffer and len(self._buffer) < self._longest:
            left = self._ends - self._now()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            if not (chunk := self._connection.recv(_CHUNK)):
                return self._taken(len(self._buffer))
            self._buffer += chunk
        return self._taken(self._buffer.find(b"\n") + 1 or self._longest)

    def _taken(self, length: int) -> bytes:
        line = bytes(self._buffer[:length])
        del self._buffer[:length]
        return line
