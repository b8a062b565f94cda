"""One conversation with a relay (RFC 5321, section 3): connection, TLS, EHLO, login, and any number of mails.

Built on aiosmtplib's protocol, command by command, so that `stage` always says how far it has come: whether a
broken connection means "not sent" or "perhaps sent" depends on nothing else. TLS is not optional: before any
login or mail the connection is checked to be encrypted. Each step has a deadline; only the dot's is the long one
of RFC 5321, section 4.5.3.2.6, since a shorter one makes copies.

A step that the relay refuses raises `Rejected`; what the network or the TLS library raises passes through. After
any exception but a `Rejected` one the conversation is over, and only `abort` may be called.
"""

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, cast

import structlog
from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from mail_sender.mail.mail import Mail
from mail_sender.relay import redaction
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.endpoint import Security
from mail_sender.verdict import Reply, Stage

_log = structlog.get_logger()

_COMMAND_SECONDS = 60.0
_SECONDS = {Stage.DATA: 120.0, Stage.BODY: 180.0, Stage.DOT: 600.0}
_QUIT_SECONDS = 1.0
_RESET_SECONDS = 5.0

_LINE_START_DOT = re.compile(rb"(?m)^\.")


class Rejected(Exception):
    """The relay's reply was not the one that the step needs."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class NoStartTls(Exception):
    """The relay does not offer STARTTLS."""


class Desynced(ConnectionError):
    """The relay said something that answers nothing: whose reply the next one would be, nobody could tell."""


class NoUtf8(Exception):
    """The letter's address is not ASCII, and the relay takes no such addresses (RFC 6531, section 3.2)."""


class NoLogin(Exception):
    """The relay offers no login, or none of our kinds; the text lists what it offers."""


class Conversation:
    """A connection to the relay, from `open` to `quit` or `abort`.

    `stage` is the step under way, `security` the way in which TLS is started, `seen` are the letters that the relay
    may quote.
    """

    def __init__(self, config: RelayConfig, context: ssl.SSLContext, seen: Collection[Mail]) -> None:
        self.stage = Stage.RESOLVE
        self.security = config.security
        self._config = config
        self._context = context
        self._login_secrets = _secrets_of_login(config)
        self._protocol: SMTPProtocol | None = None
        self._seen = seen
        self._begun = False  # a mail that was not accepted has to be taken back before the next one
        self._extensions: dict[str, str] = {}
        self._mechanisms: list[str] = []

    async def open(self, security: Security) -> None:
        """Connect, start TLS, say EHLO, log in; `security` must be one of the two ways that there are."""
        self.security = security
        async with asyncio.timeout(self._config.connect_timeout):
            await self._connect(implicit_tls=security is Security.IMPLICIT)
        await self._ehlo()
        if security is not Security.IMPLICIT:
            await self._start_tls()
            await self._ehlo()
        self._require_tls()
        _log.debug(
            "relay_connected", security=security.value, tls=self._tls_version, offers=" ".join(self._extensions)
        )
        if self._config.username is not None and self._config.password is not None:
            await self._login(self._config.username, self._config.password.get_secret_value())

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, and nothing came that was not asked for (such as a goodbye)."""
        return self._protocol is not None and self._protocol.is_connected and not self._unasked

    async def deliver(self, mail: Mail, before_dot: Callable[[], Awaitable[None]]) -> Reply:
        """Hand over one letter and return the relay's 2xx reply to its dot (RFC 5321, section 3.3)."""
        self.stage = Stage.MAIL
        self._require_tls()
        if mail.needs_utf8 and "smtputf8" not in self._extensions:
            self.stage = Stage.RCPT
            raise NoUtf8
        if self._begun:
            await self._command(Stage.MAIL, "RSET", seconds=_RESET_SECONDS)
        self._begun = True
        await self._command(Stage.MAIL, f"MAIL FROM:<{mail.sender}>{self._size(mail)}{_utf8(mail)}")
        await self._command(Stage.RCPT, f"RCPT TO:<{mail.recipient}>")
        await self._command(Stage.DATA, "DATA", expect=354)
        reply = await self._content(_LINE_START_DOT.sub(b"..", mail.content), before_dot)
        self._begun = False
        return reply

    async def quit(self) -> None:
        """Say goodbye, briefly, and close; whatever goes wrong with that is of no interest any more."""
        if self.is_open:
            with suppress(Exception):  # the mail is settled; nothing that QUIT does can matter
                async with asyncio.timeout(_QUIT_SECONDS):
                    await self._command(Stage.MAIL, "QUIT")
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._protocol is not None and self._protocol.transport is not None:
            cast("asyncio.Transport", self._protocol.transport).abort()
        self._protocol = None

    async def _connect(self, *, implicit_tls: bool) -> None:
        loop = asyncio.get_running_loop()
        host = self._config.host
        self.stage = Stage.RESOLVE
        addresses = await loop.getaddrinfo(host, self._config.port, type=socket.SOCK_STREAM)
        self.stage = Stage.CONNECT
        connected = await _first_to_answer(loop, addresses, self._config.connect_timeout)
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

    async def _ehlo(self) -> None:
        self.stage = Stage.EHLO
        self._require_quiet()
        line = f"EHLO {self._config.local_name}".encode("ascii")
        async with asyncio.timeout(_COMMAND_SECONDS):
            response = await self._open_protocol.execute_command(line, timeout=None)
        self._expect(2, response)
        self._extensions, self._mechanisms = parse_esmtp_extensions(response.message)

    async def _start_tls(self) -> None:
        self.stage = Stage.STARTTLS
        if "starttls" not in self._extensions:
            raise NoStartTls
        try:
            async with asyncio.timeout(self._config.connect_timeout):
                await self._open_protocol.start_tls(self._context, server_hostname=self._config.host, timeout=None)
        except SMTPResponseException as error:
            raise Rejected(self._reply((error.code, error.message))) from None
        _hold_back_nothing(cast("asyncio.Transport", self._open_protocol.transport))

    @property
    def _tls_version(self) -> str | None:
        transport = self._open_protocol.transport
        encrypted = transport.get_extra_info("ssl_object") if transport else None
        return encrypted.version() if encrypted else None

    def _require_tls(self) -> None:
        transport = self._open_protocol.transport
        if transport is None:
            raise ConnectionResetError("the connection is gone")
        if self._tls_version is None:
            raise NoStartTls

    async def _login(self, username: str, password: str) -> None:
        """Log in by one mechanism, once: a second try would only help to lock the account (RFC 4954)."""
        self.stage = Stage.AUTH
        if "plain" in self._mechanisms:
            await self._command(Stage.AUTH, f"AUTH PLAIN {_base64(chr(0).join(('', username, password)))}")
        elif "login" in self._mechanisms:
            await self._command(Stage.AUTH, "AUTH LOGIN", expect=334)
            await self._command(Stage.AUTH, _base64(username), expect=334)
            await self._command(Stage.AUTH, _base64(password))
        else:
            raise NoLogin(", ".join(self._mechanisms).upper() or "no AUTH at all")

    @property
    def _unasked(self) -> bool:
        # aiosmtplib drops what arrives between commands, but keeps what came in one packet with a reply.
        return bool(self._open_protocol._buffer)  # noqa: SLF001

    def _require_quiet(self) -> None:
        if self._unasked:
            raise Desynced

    def _size(self, mail: Mail) -> str:
        return f" SIZE={len(mail.content)}" if "size" in self._extensions else ""

    async def _content(self, stuffed: bytes, before_dot: Callable[[], Awaitable[None]]) -> Reply:
        """Write the body, then the dot. The reply is read all along: a relay may refuse half-way through.

        A yes before the dot is none.
        """
        self._require_quiet()
        protocol = self._open_protocol
        reading = asyncio.ensure_future(protocol.read_response(timeout=None))
        try:
            self.stage = Stage.BODY
            protocol.write(stuffed)
            async with asyncio.timeout(_SECONDS[Stage.BODY]):
                await self._drained(protocol, reading)
            if not reading.done():
                await before_dot()
            if reading.done():
                raise Rejected(self._reply(await reading))
            protocol.write(b".\r\n")
            self.stage = Stage.DOT
            async with asyncio.timeout(_SECONDS[Stage.DOT]):
                response = await reading
            self._expect(2, response)
            return self._reply(response)
        finally:
            reading.cancel()

    async def _drained(self, protocol: SMTPProtocol, reading: "asyncio.Future[SMTPResponse]") -> None:
        # What StreamWriter.drain does; a writer of our own would close the connection when it is collected.
        draining = asyncio.ensure_future(protocol._drain_helper())  # noqa: SLF001
        both: set[asyncio.Future[Any]] = {draining, reading}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if draining.done():
                draining.result()
        finally:
            draining.cancel()

    async def _command(self, stage: Stage, line: str, *, expect: int = 2, seconds: float | None = None) -> None:
        self.stage = stage
        self._require_quiet()
        async with asyncio.timeout(seconds or _SECONDS.get(stage, _COMMAND_SECONDS)):
            response = await self._open_protocol.execute_command(line.encode(), timeout=None)
        self._expect(expect, response)

    def _expect(self, wanted: int, response: tuple[int, str]) -> None:
        """Act on the first digit alone (RFC 5321, section 4.2); but what follows a 334 is not what follows a 354."""
        code = response[0]
        if wanted != (code if wanted >= 100 else code // 100):
            raise Rejected(self._reply(response))

    def _reply(self, response: tuple[int, str]) -> Reply:
        code, text = response
        return Reply(code, redaction.cleaned(text, self._login_secrets, self._seen))

    @property
    def _open_protocol(self) -> SMTPProtocol:
        if self._protocol is None:
            raise ConnectionResetError("the connection is gone")
        return self._protocol


async def _first_to_answer(loop: asyncio.AbstractEventLoop, addresses: list[Any], seconds: float) -> socket.socket:
    """Return a socket connected to the first address that takes the connection, in the resolver's order."""
    refusal: OSError = OSError("the name has no address")
    share = seconds / (len(addresses) + 1) if len(addresses) > 1 else None
    for family, kind, number, _, place in addresses:
        candidate = socket.socket(family, kind, number)
        candidate.setblocking(False)
        try:
            async with asyncio.timeout(share):
                await loop.sock_connect(candidate, place)
        except TimeoutError:
            candidate.close()
            refusal = TimeoutError("no answer")
        except OSError as error:
            candidate.close()
            refusal = error
        except BaseException:
            candidate.close()
            raise
        else:
            return candidate
    raise refusal


def _hold_back_nothing(transport: asyncio.WriteTransport) -> None:
    """Let a drain return only when all is written; with 0, asyncio's TLS would pause though nothing waits."""
    transport.set_write_buffer_limits(high=1, low=0)


def _utf8(mail: Mail) -> str:
    """Return what says that a letter has headers in UTF-8; who offers the one takes the other (RFC 6531, 3.1)."""
    return " BODY=8BITMIME SMTPUTF8" if mail.needs_utf8 else ""


def _secrets_of_login(config: RelayConfig) -> tuple[str, ...]:
    if config.username is None or config.password is None:
        return ()
    password = config.password.get_secret_value()
    return _plain(config.username, password), _base64(password), password


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _plain(username: str, password: str) -> str:
    """Return the one answer of PLAIN (RFC 4616)."""
    return _base64(f"\0{username}\0{password}")
