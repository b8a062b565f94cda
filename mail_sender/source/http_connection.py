"""One connection of HTTP/1.1 to the identity server: a request goes out, its answer comes in (RFC 9112).

1. `ask` writes a request in one piece, and returns the head of its answer; `part` returns the body, as it arrives.
2. llhttp parses what comes at once, and nothing is forgiven: an answer that two readers could take for two different
   ones is refused. A 1xx is passed over. What nobody has read yet is kept up to a limit; then the peer has to wait.
3. The connection may be used again if its answer is over and says nothing against it. It has one exchange at a time:
   octets that come when none is awaited, before a request or behind an answer, end it, and are never taken for an
   answer.

What ends it before its answer is over is a `Cut`, and `TimeoutError` where nothing has come for too long.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httptools

MOST_UNREAD = 256 * 2**10
"""Octets of a body that are kept until somebody reads them."""
LARGEST_HEAD = 100 * 2**10
"""Octets of a head, and of whatever else comes without being a body: several heads, ends of chunks, trailers."""
_OF_A_HEADER = 32  # octets that each counts beside its own, as in HTTP/2 (RFC 9113, section 6.5.2)


class Cut(ConnectionError):
    """The connection ended before the answer did."""


class NotHttp(Cut):
    """What came is no answer, or none that has only one meaning."""


@dataclass(frozen=True, slots=True)
class Head:
    """A status and headers: names in lower case, what came several times joined (RFC 9110, section 5.3)."""

    status: int
    headers: Mapping[str, str]


class Connection(asyncio.Protocol):
    """A connection. Who makes it sets `transport`, unless asyncio does.

    `silent_seconds` is how long nothing may come while an answer is awaited.
    """

    transport: asyncio.Transport

    def __init__(self, silent_seconds: float) -> None:
        self._silent_seconds = silent_seconds
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_lasting = True
        self._begin()
        self._is_over = True

    def _begin(self) -> None:
        self._head: Head | None = None
        self._headers: dict[str, str] = {}
        self._left_of_head = LARGEST_HEAD
        self._left_of_headers = LARGEST_HEAD
        self._ends_with_connection = False
        self._is_over = False
        self._parts: deque[bytes] = deque()
        self._unread = 0

    # What is asked

    async def ask(self, request: bytes) -> Head:
        """Write a request, and return the head of its answer. Raises `Cut` and `TimeoutError`."""
        self._raise_if_ended()
        self._begin()
        self.transport.write(request)
        while self._head is None:
            await self._news()
        return self._head

    async def part(self) -> bytes:
        """Return the next octets of the body; at its end none. Raises `Cut` and `TimeoutError`."""
        while not self._parts:
            if self._is_over:
                return b""
            await self._news()
        part = self._parts.popleft()
        self._unread -= len(part)
        if self._is_paused and self._unread <= MOST_UNREAD and self._error is None:
            self._is_paused = False
            self.transport.resume_reading()
        return part

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow."""
        return self._is_over and self._is_lasting and not self._parts and self._error is None

    @property
    def tls(self) -> Any:
        """The TLS object, if there is one."""
        return self.transport.get_extra_info("ssl_object")

    def handed_over(self) -> asyncio.Transport:
        """Return the transport to who goes on with it. Raises `Cut`, also where there is something to be read."""
        if self._parts:
            self.end(NotHttp("octets that belong to nothing"))
        self._raise_if_ended()
        return self.transport

    def end(self, error: Exception) -> None:
        """Close the connection at once, and raise this wherever an answer is awaited.

        TLS says no goodbye: every answer was read, and the peer may never say its own.
        """
        if self._error is None:
            self._error = error
            self.transport.abort()
        self._wake()

    def close(self) -> None:
        """Close the connection at once."""
        self.end(Cut("it was closed here"))

    async def _news(self) -> None:
        self._raise_if_ended()
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(self._silent_seconds, self.end, TimeoutError("nothing came"))
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _raise_if_ended(self) -> None:
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take in that the connection stands."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._is_over:
            self.end(NotHttp("octets that nobody asked for"))
            return
        self._left_of_head -= len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.end(NotHttp(str(error.__context__ or error)))
        if self._left_of_head < 0 and not self._is_over:
            self.end(NotHttp("an endless head"))
        if self._unread > MOST_UNREAD and not self._is_paused and self._error is None:
            self.transport.pause_reading()
            self._is_paused = True
        self._wake()

    def eof_received(self) -> None:
        """Take in that nothing more comes, which is how some bodies end."""
        if self._head is not None and self._ends_with_connection:
            self._is_over = True
        self.end(Cut("the peer closed it"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Take in that the connection is gone."""
        cut = Cut("the connection is gone")
        cut.__cause__ = exc
        self.end(cut)

    # What the parser calls

    def on_message_begin(self) -> None:
        """Refuse what comes behind an answer."""
        if self._is_over:
            raise NotHttp("octets behind the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind the body is left out."""
        self._left_of_headers -= len(name) + len(value) + _OF_A_HEADER
        if self._left_of_headers < 0:
            raise NotHttp("a head that is too large")
        if self._head is None:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Take a head; one of 1xx is passed over, and at 101 the parser stops by itself."""
        status, coding = self._parser.get_status_code(), self._headers.get("transfer-encoding")
        if self._parser.get_http_version() not in {"1.1", "1.0"} or status < 100:
            raise NotHttp("another protocol")
        if coding is not None and coding.lower() != "chunked":
            raise NotHttp("a transfer coding that was not asked for")
        if status < 200:
            self._headers = {}
            return
        self._is_lasting = self._parser.should_keep_alive()
        self._ends_with_connection = coding is None and "content-length" not in self._headers
        self._head = Head(status, self._headers)

    def on_body(self, body: bytes) -> None:
        """Take octets of the body."""
        self._left_of_head = LARGEST_HEAD
        self._parts.append(body)
        self._unread += len(body)

    def on_message_complete(self) -> None:
        """Take in that an answer is over; that of a 1xx is not the one."""
        self._is_over = self._head is not None
