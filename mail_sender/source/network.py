"""The connections of httpcore, on asyncio's own transports: they cost half of what its usual ones do.

The host is looked up by asyncio, which tries IPv6 and IPv4 side by side (RFC 8305). What arrives is kept until
somebody reads it, up to a limit; then the peer has to wait. A name that ends with a dot is asked for without it (RFC
6066, section 3). Timeouts and broken connections are raised as httpcore's.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpcore

from mail_sender.tls import contexts

MOST_UNREAD = 256 * 2**10
"""Octets that are kept until somebody reads them."""
_EYEBALLS = 0.25  # seconds, as RFC 8305 recommends (section 5)


class Network(httpcore.AsyncNetworkBackend):
    """Makes connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: object = None,
    ) -> "Stream":
        """Connect. Raises `httpcore.ConnectError`, also where the host has no address, and `ConnectTimeout`."""
        loop = asyncio.get_running_loop()
        with _in_httpcores_words(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                _, arriving = await loop.create_connection(_Arriving, host, port, happy_eyeballs_delay=_EYEBALLS)
        return Stream(arriving)


class Stream(httpcore.AsyncNetworkStream):
    """A connection, with TLS or without."""

    def __init__(self, arriving: "_Arriving") -> None:
        self._arriving = arriving

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        """Return what has arrived, at least one octet; none at the end. Raises `httpcore.ReadError`."""
        with _in_httpcores_words(httpcore.ReadTimeout, httpcore.ReadError):
            if self._arriving.has_to_wait:
                async with asyncio.timeout(timeout):
                    await self._arriving.wait()
            return self._arriving.taken(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's own
        """Write: what we ask is short, and fits into the socket. Raises `httpcore.WriteError`."""
        if buffer:
            with _in_httpcores_words(httpcore.WriteTimeout, httpcore.WriteError):
                self._arriving.raise_if_lost()
                self._arriving.transport.write(buffer)

    async def aclose(self) -> None:
        """Close at once: every answer was read, and the peer may never say its goodbye."""
        self._arriving.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
    ) -> "Stream":
        """Go on under TLS. Raises `httpcore.ConnectError` and `ConnectTimeout`; then the connection is closed."""
        loop, arriving = asyncio.get_running_loop(), self._arriving
        name = contexts.server_name(server_hostname or "")
        try:
            with _in_httpcores_words(httpcore.ConnectTimeout, httpcore.ConnectError):
                async with asyncio.timeout(timeout):
                    found = await loop.start_tls(arriving.transport, arriving, ssl_context, server_hostname=name)
        except BaseException:
            arriving.transport.abort()
            raise
        arriving.transport = cast("asyncio.Transport", found)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore and `https` ask for: whether there is something to read, and the TLS object."""
        if info == "is_readable":
            return not self._arriving.has_to_wait
        return self._arriving.transport.get_extra_info(info)


class _Arriving(asyncio.Protocol):
    """What has arrived on a connection and was not read yet."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._unread = bytearray()
        self._is_over = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > MOST_UNREAD and not self._is_paused:
            self.transport.pause_reading()
            self._is_paused = True
        self._wake()

    def eof_received(self) -> None:
        self._is_over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over, self._error = True, exc
        self._wake()

    @property
    def has_to_wait(self) -> bool:
        """Whether there is nothing to read, neither octets nor the end."""
        return not self._unread and not self._is_over

    async def wait(self) -> None:
        """Wait until there is something to read."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def taken(self, most: int) -> bytes:
        """Return so many octets at most of what has arrived; at the end none. Raises what broke the connection."""
        if not self._unread:
            self.raise_if_lost()
        found = bytes(self._unread[:most])
        del self._unread[:most]
        if self._is_paused and len(self._unread) <= MOST_UNREAD:
            self._is_paused = False
            self.transport.resume_reading()
        return found

    def raise_if_lost(self) -> None:
        """Raise what broke the connection, if something did."""
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@contextmanager
def _in_httpcores_words(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:  # errors of TLS, and of a host without an address, are such, too
        raise broken(str(error)) from error
