"""One conversation with a relay (RFC 5321, section 3): connection, TLS, EHLO, login, and any number of mails.

1. `open` connects, starts TLS, says EHLO and logs in. TLS is not optional: before any login or mail the connection is
   checked to be encrypted.
2. `deliver` hands over one mail. It calls `before_dot` when all but the final dot is written.
3. After an exception other than `Rejected` the conversation is over: only `abort` may be called.

`channel` says what is raised, and which deadline each step has.
"""

import asyncio
import re
import ssl
from collections.abc import Collection
from contextlib import suppress

import structlog

from mail_sender.mail.mail import Mail
from mail_sender.relay import deadlines, login, redaction
from mail_sender.relay.channel import Channel, NoStartTls
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.endpoint import Security
from mail_sender.relay.transport import BeforeDot
from mail_sender.verdict import Reply, Stage

_log = structlog.get_logger()


_LINE_START_DOT = re.compile(rb"(?m)^\.")


class NoUtf8(Exception):
    """The mail's address is not ASCII, and the relay takes no such addresses (RFC 6531, section 3.2)."""


class Conversation:
    """A connection to the relay, from `open` to `quit` or `abort`.

    `security` is the way in which TLS is started, `seen` are the mails that the relay may quote.
    """

    def __init__(self, config: RelayConfig, context: ssl.SSLContext, seen: Collection[Mail]) -> None:
        self.security = config.security
        self._config = config
        secrets = login.secrets(config)
        self._channel = Channel(config, context, lambda text: redaction.cleaned(text, secrets, seen))
        self._begun = False  # a mail that was not accepted has to be taken back before the next one
        self._extensions: dict[str, str] = {}
        self._mechanisms: list[str] = []

    @property
    def stage(self) -> Stage:
        """The step in progress."""
        return self._channel.stage

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, and nothing came that was not asked for (such as a goodbye)."""
        return self._channel.is_open

    async def open(self, security: Security) -> None:
        """Connect, start TLS, say EHLO, log in; `security` must be one of the two ways that there are."""
        self.security = security
        await self._channel.connect(implicit_tls=security is Security.IMPLICIT)
        self._extensions, self._mechanisms = await self._channel.ehlo()
        if security is not Security.IMPLICIT:
            self._channel.stage = Stage.STARTTLS
            if "starttls" not in self._extensions:
                raise NoStartTls
            await self._channel.start_tls()
            self._extensions, self._mechanisms = await self._channel.ehlo()
        self._channel.require_tls()
        offers = " ".join(self._extensions)
        _log.debug("relay_connected", security=security.value, tls=self._channel.tls_version, offers=offers)
        if self._config.username is not None and self._config.password is not None:
            self._channel.stage = Stage.AUTH
            password = self._config.password.get_secret_value()
            for line, expected in login.commands(self._mechanisms, self._config.username, password):
                await self._channel.command(Stage.AUTH, line, expect=expected)

    async def deliver(self, mail: Mail, before_dot: BeforeDot) -> Reply:
        """Hand over one mail and return the relay's 2xx reply to its dot (RFC 5321, section 3.3)."""
        channel = self._channel
        channel.stage = Stage.MAIL
        channel.require_tls()
        if mail.needs_utf8 and "smtputf8" not in self._extensions:
            channel.stage = Stage.RCPT
            raise NoUtf8
        if self._begun:
            await channel.command(Stage.MAIL, "RSET", seconds=deadlines.RESET)
        self._begun = True
        size = f" SIZE={len(mail.content)}" if "size" in self._extensions else ""
        # A relay that offers SMTPUTF8 takes 8BITMIME as well (RFC 6531, section 3.1).
        utf8 = " BODY=8BITMIME SMTPUTF8" if mail.needs_utf8 else ""
        await channel.command(Stage.MAIL, f"MAIL FROM:<{mail.sender}>{size}{utf8}")
        await channel.command(Stage.RCPT, f"RCPT TO:<{mail.recipient}>")
        await channel.command(Stage.DATA, "DATA", expect=354)
        reply = await channel.content(_LINE_START_DOT.sub(b"..", mail.content), before_dot)
        self._begun = False
        return reply

    async def quit(self) -> None:
        """Say goodbye, briefly, and close; what goes wrong with that is ignored."""
        if self.is_open:
            with suppress(Exception):  # the mail is settled; nothing that QUIT does can matter
                async with asyncio.timeout(deadlines.QUIT):
                    await self._channel.command(Stage.MAIL, "QUIT")
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._channel.abort()
