"""One connection over which SMTP's commands and replies go (RFC 5321, section 4).

1. `stage` is the step in progress. It alone decides whether a broken connection means "not sent" or "perhaps sent".
2. Each step has a deadline (`deadlines`).
3. A reply that the step does not need raises `Rejected`. What the network or the TLS library raises passes through.
4. A reply that nobody asked for raises `ConnectionError`.
5. Several commands may be said at once (`write`); their replies are read one after the other (`answer`).
6. A dot that may go out until some time is written only if the kernel takes it at once, and the clock is looked at
   last. What waited in this process would go out whenever the process goes on after a stop.

After any exception but `Rejected` only `abort` may be called.
"""

import asyncio
import ssl
from collections.abc import Callable

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.response import SMTPResponse

from mail_sender.relay import deadlines
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.ehlo import Offer, offer
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.opening import Opening
from mail_sender.relay.protocol import Rejected, RelayProtocol, is_expected
from mail_sender.relay.transport import BeforeDot, require_in_time
from mail_sender.tls import certificate, shown
from mail_sender.tls.certificate import Certificate
from mail_sender.tls.shown import Shown
from mail_sender.verdict import Reply, Stage

__all__ = ["Channel", "NoStartTls", "Rejected"]

_UNASKED = "the relay said something that answers nothing"
_ROOM_PAUSE = 0.02  # seconds after which it is looked again whether the kernel would take the dot


class NoStartTls(Exception):
    """The relay does not offer STARTTLS."""


class Channel:
    """A connection to the relay, from `connect` to `abort`; `cleaned` takes secrets out of a reply's text."""

    def __init__(
        self, config: RelayConfig, context: ssl.SSLContext, known: KnownRelay, cleaned: Callable[[str], str]
    ) -> None:
        self.stage = Stage.RESOLVE
        self._config = config
        self._context = context
        self._known = known
        self._cleaned = cleaned
        self._protocol: RelayProtocol | None = None

    async def connect(self, *, implicit_tls: bool) -> None:
        """Look the name up, connect, and read the greeting."""
        opening = Opening(self._config, self._context, self._known, self._cleaned, implicit_tls=implicit_tls)
        try:
            self._protocol = await opening.greeted()
        finally:
            self.stage = opening.stage

    async def ehlo(self) -> Offer:
        """Say EHLO; return what the relay offers."""
        response = await self.command(Stage.EHLO, f"EHLO {self._config.local_name}")
        return offer(response.message)

    async def start_tls(self) -> None:
        """Say STARTTLS and shake hands (RFC 3207)."""
        protocol = self._open_protocol
        try:
            with self._known.timed(Stage.STARTTLS):
                async with deadlines.within(self._config.connect_timeout):
                    await protocol.start_tls(
                        self._context, server_hostname=self._config.tls_name, timeout=deadlines.NEVER
                    )
        except SMTPResponseException as error:
            raise Rejected(self._reply((error.code, error.message))) from None
        protocol.hold_back_nothing()

    async def command(self, stage: Stage, line: str, *, expect: int = 2) -> SMTPResponse:
        """Say a line and return the reply; `expect` is its code, or its code's first digit."""
        self.stage = stage
        self.write(line)
        return await self.answer(stage, expect=expect)

    async def aside(self, line: str, seconds: float, *others: str) -> None:
        """Say RSET or QUIT, which belong to no mail's way; the replies to lines said along with it are left."""
        self.stage = Stage.MAIL
        self.write(line, *others)
        await self._answer(seconds, 2)

    def write(self, *lines: str) -> None:
        """Write lines, as one packet; there has to be an `answer` for each."""
        protocol = self._open_protocol
        if protocol.has_unasked:
            raise ConnectionError(_UNASKED)
        protocol.write_commands(*lines)

    async def answer(self, stage: Stage, *, expect: int = 2) -> SMTPResponse:
        """Return the next reply, which is the one to the command of this stage."""
        self.stage = stage
        with self._known.timed(stage):
            return await self._answer(deadlines.of(stage), expect)

    async def any_answer(self) -> int:
        """Return the code of the next reply, which counts for nothing."""
        return (await self._open_protocol.read_response()).code

    async def _answer(self, seconds: float, expect: int) -> SMTPResponse:
        response = await self._open_protocol.read_response(seconds)
        if not is_expected(expect, response.code):
            raise Rejected(self._reply(response))
        return response

    async def content(self, stuffed: bytes, before_dot: BeforeDot) -> Reply:
        """Write the body (CRLF at its end, dots doubled), then the dot; return the reply to that.

        What comes before the dot is read: a relay may refuse half-way through. A yes before the dot is none.
        Raises `DotLate` if the dot's time has passed: the caller drops the connection, and the relay the mail.
        """
        protocol = self._open_protocol
        if protocol.has_unasked:
            raise ConnectionError(_UNASKED)
        self.stage = Stage.BODY
        with self._known.timed(Stage.BODY):
            rest = protocol.write_body(stuffed)
            if not rest:
                async with deadlines.within(deadlines.of(Stage.BODY)):
                    await protocol.drained()
        until = None if self._is_interrupted else await before_dot()
        if until is not None:
            await self._room_for_dot(until)
        if self._is_interrupted:
            raise Rejected(self._reply(await self._open_protocol.read_response(deadlines.of(Stage.BODY))))
        require_in_time(until)
        protocol.write(rest + b".\r\n")
        return self._reply(await self.answer(Stage.DOT))

    async def _room_for_dot(self, until: float) -> None:
        """Return when the kernel would take the dot at once, or the relay has said something."""
        while not (self._is_interrupted or self._open_protocol.has_room):
            require_in_time(until)
            await asyncio.sleep(_ROOM_PAUSE)

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._protocol is not None:
            self._protocol.abort()
        self._protocol = None

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, and nothing came that was not asked for (such as a goodbye)."""
        protocol = self._protocol
        return protocol is not None and protocol.is_connected and not (protocol.is_over or protocol.has_unasked)

    @property
    def tls_version(self) -> str | None:
        """The version of TLS, None without TLS."""
        return self._encrypted.version() if self._encrypted else None

    @property
    def certificate(self) -> Certificate | None:
        """How long the relay's certificate is good, None without TLS."""
        return certificate.of(self._encrypted)

    @property
    def shown(self) -> Shown | None:
        """The relay's own certificate, None without TLS."""
        return shown.of(self._encrypted) if self._encrypted else None

    @property
    def _encrypted(self) -> ssl.SSLObject | None:
        transport = self._open_protocol.transport
        return transport.get_extra_info("ssl_object") if transport else None

    def require_tls(self) -> None:
        """Raise `NoStartTls` unless the connection is encrypted, `ConnectionResetError` if it is gone."""
        if self._open_protocol.transport is None:
            raise ConnectionResetError("the connection is gone")
        if self.tls_version is None:
            raise NoStartTls

    @property
    def _is_interrupted(self) -> bool:
        return self._open_protocol.has_unasked or self._open_protocol.is_over

    @property
    def _open_protocol(self) -> RelayProtocol:
        if self._protocol is None:
            raise ConnectionResetError("the connection is gone")
        return self._protocol

    def _reply(self, response: tuple[int, str]) -> Reply:
        code, text = response
        return Reply.of(code, self._cleaned(text))
