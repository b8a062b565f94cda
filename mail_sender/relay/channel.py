"""One connection over which SMTP's commands and replies go (RFC 5321, section 4), built on aiosmtplib's protocol.

1. `stage` is the step in progress. It alone decides whether a broken connection means "not sent" or "perhaps sent".
2. Each step has a deadline (`deadlines`).
3. A reply that the step does not need raises `Rejected`. What the network or the TLS library raises passes through.
4. A reply that nobody asked for raises `ConnectionError`.

After any exception but `Rejected` only `abort` may be called.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from mail_sender.relay import addresses, deadlines
from mail_sender.relay.config import RelayConfig
from mail_sender.verdict import Reply, Stage


class Rejected(Exception):
    """The relay's reply was not the one that the step needs."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class NoStartTls(Exception):
    """The relay does not offer STARTTLS."""


class Channel:
    """A connection to the relay, from `connect` to `abort`; `cleaned` takes secrets out of a reply's text."""

    def __init__(self, config: RelayConfig, context: ssl.SSLContext, cleaned: Callable[[str], str]) -> None:
        self.stage = Stage.RESOLVE
        self._config = config
        self._context = context
        self._cleaned = cleaned
        self._protocol: SMTPProtocol | None = None

    async def connect(self, *, implicit_tls: bool) -> None:
        """Look the name up, connect, and read the greeting, within the configured time for all of it."""
        async with asyncio.timeout(self._config.connect_timeout):
            await self._connect(implicit_tls=implicit_tls)

    async def ehlo(self) -> tuple[dict[str, str], list[str]]:
        """Say EHLO; return what the relay offers (names in lower case), and its login mechanisms."""
        response = await self.command(Stage.EHLO, f"EHLO {self._config.local_name}")
        return parse_esmtp_extensions(response.message)

    async def start_tls(self) -> None:
        """Say STARTTLS and shake hands (RFC 3207)."""
        try:
            async with asyncio.timeout(self._config.connect_timeout):
                await self._open_protocol.start_tls(self._context, server_hostname=self._config.host, timeout=None)
        except SMTPResponseException as error:
            raise Rejected(self._reply((error.code, error.message))) from None
        _hold_back_nothing(cast("asyncio.Transport", self._open_protocol.transport))

    async def command(
        self, stage: Stage, line: str, *, expect: int = 2, seconds: float | None = None
    ) -> SMTPResponse:
        """Say a line and return the reply; `expect` is its code, or its code's first digit."""
        self.stage = stage
        self._require_quiet()
        async with asyncio.timeout(seconds or deadlines.of(stage)):
            response = await self._open_protocol.execute_command(line.encode(), timeout=None)
        self._expect(expect, response)
        return response

    async def content(self, stuffed: bytes, before_dot: Callable[[], Awaitable[None]]) -> Reply:
        """Write the body (CRLF at its end, dots doubled), then the dot; return the reply to that.

        Replies are read all along: a relay may refuse half-way through. A yes before the dot is none.
        """
        self._require_quiet()
        protocol = self._open_protocol
        reading = asyncio.ensure_future(protocol.read_response(timeout=None))
        try:
            self.stage = Stage.BODY
            protocol.write(stuffed)
            async with asyncio.timeout(deadlines.of(Stage.BODY)):
                await _drained(protocol, reading)
            if not reading.done():
                await before_dot()
            if reading.done():
                raise Rejected(self._reply(await reading))
            protocol.write(b".\r\n")
            self.stage = Stage.DOT
            async with asyncio.timeout(deadlines.of(Stage.DOT)):
                response = await reading
            self._expect(2, response)
            return self._reply(response)
        finally:
            reading.cancel()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._protocol is not None and self._protocol.transport is not None:
            cast("asyncio.Transport", self._protocol.transport).abort()
        self._protocol = None

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, and nothing came that was not asked for (such as a goodbye)."""
        return self._protocol is not None and self._protocol.is_connected and not self._unasked

    @property
    def tls_version(self) -> str | None:
        """The version of TLS, None without TLS."""
        transport = self._open_protocol.transport
        encrypted = transport.get_extra_info("ssl_object") if transport else None
        return encrypted.version() if encrypted else None

    def require_tls(self) -> None:
        """Raise `NoStartTls` unless the connection is encrypted, `ConnectionResetError` if it is gone."""
        if self._open_protocol.transport is None:
            raise ConnectionResetError("the connection is gone")
        if self.tls_version is None:
            raise NoStartTls

    async def _connect(self, *, implicit_tls: bool) -> None:
        loop = asyncio.get_running_loop()
        host = self._config.host
        self.stage = Stage.RESOLVE
        found = await loop.getaddrinfo(host, self._config.port, type=socket.SOCK_STREAM)
        self.stage = Stage.CONNECT
        connected = await addresses.connected(found, self._config.connect_timeout)
        self.stage = Stage.TLS if implicit_tls else Stage.BANNER
        try:
            transport, self._protocol = await loop.create_connection(
                lambda: SMTPProtocol(loop),
                sock=connected,
                ssl=self._context if implicit_tls else None,
                server_hostname=host if implicit_tls else None,
            )
        except BaseException:
            connected.close()
            raise
        _hold_back_nothing(transport)
        self.stage = Stage.BANNER
        self._expect(2, await self._protocol.read_response(timeout=None))

    def _require_quiet(self) -> None:
        if self._unasked:  # nobody could tell whose reply the next one would be
            raise ConnectionError("the relay said something that answers nothing")

    @property
    def _unasked(self) -> bool:
        # aiosmtplib drops what arrives between commands, but keeps what came in one packet with a reply.
        return bool(self._open_protocol._buffer)  # noqa: SLF001

    @property
    def _open_protocol(self) -> SMTPProtocol:
        if self._protocol is None:
            raise ConnectionResetError("the connection is gone")
        return self._protocol

    def _expect(self, wanted: int, response: tuple[int, str]) -> None:
        """Act on the first digit alone (RFC 5321, section 4.2); but what follows a 334 is not what follows a 354."""
        code = response[0]
        if wanted != (code if wanted >= 100 else code // 100):
            raise Rejected(self._reply(response))

    def _reply(self, response: tuple[int, str]) -> Reply:
        code, text = response
        return Reply(code, self._cleaned(text))


async def _drained(protocol: SMTPProtocol, reading: "asyncio.Future[SMTPResponse]") -> None:
    """Return when all is written, or when the relay has answered before."""
    # What StreamWriter.drain does; a writer of our own would close the connection when it is collected.
    draining = asyncio.ensure_future(protocol._drain_helper())  # noqa: SLF001
    both: set[asyncio.Future[Any]] = {draining, reading}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if draining.done():
            draining.result()
    finally:
        draining.cancel()


def _hold_back_nothing(transport: asyncio.WriteTransport) -> None:
    """Let a drain return only when all is written; with 0, asyncio's TLS would pause though nothing waits."""
    transport.set_write_buffer_limits(high=1, low=0)
