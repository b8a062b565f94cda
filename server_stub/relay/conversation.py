"""One conversation with the relay: aiosmtpd's, which asks the rules of misbehaviour at each stage.

A conversation that is cut off or stays silent waits until aiosmtpd cancels it, which happens when the connection is
lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import typer
from aiosmtpd.smtp import SMTP, Session, TLSSetupException
from aiosmtpd.smtp import Envelope as Transaction

from server_stub import timestamps
from server_stub.errors import StubError
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.misbehaviour.relay_rule import RelayAct, RelayEvent
from server_stub.relay.login import Login
from server_stub.relay.mailbox import Envelope
from server_stub.relay.refusals import reply_for

HOSTNAME = "localhost"  # given, or aiosmtpd asks the DNS for one at every connection
IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7


class Keeper(Protocol):
    """Who keeps the mails: a `Mailbox`."""

    def store(self, content: bytes, envelope: Envelope) -> str:
        """Keep a mail, and return its number. Raises OSError."""
        ...


class Contexts(Protocol):
    """Who has the TLS contexts: a `RelayTls`."""

    def context(self, act: RelayAct) -> ssl.SSLContext:
        """Return the context that the rules want for this connection. Raises StubError and OSError."""
        ...


@dataclass(frozen=True)
class ListenerSettings:
    """What all conversations of a listener share; `listener` is `smtps` or `smtp`."""

    listener: str
    login: Login
    mailbox: Keeper
    refusals: Path
    tls: Contexts
    misbehaviour: Misbehaviour

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS comes first (RFC 8314), or by STARTTLS (RFC 3207)."""
        return self.listener == "smtps"


class Conversation(SMTP):
    """What is said on one connection. `greeting` is how the rules want it begun; `ended` is set when it is lost.

    `offers` are extensions that it offers beside aiosmtpd's own: commands that come together are obeyed one by one.
    """

    offers: tuple[str, ...] = ("PIPELINING",)

    def __init__(self, settings: ListenerSettings, greeting: RelayAct) -> None:
        starttls = None if settings.implicit_tls else settings.tls.context(RelayAct())
        # aiosmtpd knows only STARTTLS and would offer no AUTH inside implicit TLS unless told that it needs none.
        super().__init__(
            Hooks(settings),
            hostname=HOSTNAME,
            authenticator=settings.login,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_require_tls=starttls is not None,
            loop=asyncio.get_running_loop(),
        )
        self.ended = asyncio.Event()
        self._settings = settings
        self._starttls = starttls
        self._greeting = greeting
        self._tarpit = greeting.tarpit

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        super().connection_lost(error)
        self.ended.set()

    async def act(self, stage: str, *recipients: str) -> RelayAct:
        """Do what the rules want done before this stage; return what they want besides.

        Does not return where they end the conversation here. An answer that is to be lost is left to the caller.
        """
        sender = str(self.envelope.mail_from or "") if self.envelope else ""
        act = self._settings.misbehaviour.at_stage(RelayEvent(stage, time.monotonic(), sender, recipients))
        self._tarpit = act.tarpit
        if not act.lose_answer:
            await self.pause(act.stall)
        if act.cut:
            await self.hang_up()
        return act

    async def pause(self, seconds: float) -> None:
        """Say nothing for a while; `inf` is until the client goes."""
        if seconds:
            self._reset_timeout(seconds + IDLE_SECONDS)  # aiosmtpd's patience does not count our own silence
        await asyncio.sleep(seconds)

    async def hang_up(self) -> None:
        """Cut the connection off; does not return."""
        self._writer.transport.abort()
        await asyncio.Event().wait()

    async def push(self, status: str | bytes) -> None:
        """Say a reply, in drops where the rules want that. After 421 hang up (RFC 5321 section 3.8)."""
        text = status.encode() if isinstance(status, str) else status
        if self._tarpit:
            await self._drip(text + b"\r\n")
        else:
            await super().push(text)
        if text.startswith(b"421"):
            self._writer.close()
        if text.startswith(b"354"):
            await self._act_in_body()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name, as those below
        """Greet back, and offer STARTTLS if it is to be had."""
        act = await self.act("ehlo")
        self.tls_context = None if act.no_starttls else self._starttls
        await (self.push(act.reply) if act.reply else super().smtp_EHLO(hostname))

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Start TLS with the certificate that the rules want."""
        if self.tls_context is None:
            await super().smtp_STARTTLS(arg)
            return
        act = await self.act("tls")
        self.tls_context = self._settings.tls.context(act)
        await (self.push(act.reply) if act.reply else super().smtp_STARTTLS(arg))

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Log somebody in."""
        act = await self.act("auth")
        await (self.push(act.reply) if act.reply else super().smtp_AUTH(arg))

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Take the message."""
        act = await self.act("data", *self._recipients())
        await (self.push(act.reply) if act.reply else super().smtp_DATA(arg))

    async def _handle_client(self) -> None:
        # A client that goes in the middle of a reply is no fault of ours, and nobody waits for this task.
        with contextlib.suppress(ConnectionError):
            if self._greeting.reply:
                await self.push(self._greeting.reply)
                self._writer.close()
            else:
                await super()._handle_client()

    async def _act_in_body(self) -> None:
        act = self._settings.misbehaviour.at_stage(
            RelayEvent("body", time.monotonic(), recipients=self._recipients())
        )
        await self.pause(act.stall)
        if act.cut:
            await self._reader.read(1)
            await self.hang_up()

    async def _drip(self, text: bytes) -> None:
        for at in range(len(text)):
            await asyncio.sleep(self._tarpit)
            self._writer.write(text[at : at + 1])
            await self._writer.drain()

    def _recipients(self) -> tuple[str, ...]:
        return tuple(self.envelope.rcpt_tos) if self.envelope else ()


@dataclass(frozen=True)
class Hooks:
    """What is said to a sender, a recipient and a mail; each method is named by aiosmtpd and returns the reply."""

    settings: ListenerSettings

    async def handle_EHLO(  # noqa: N802 - as below
        self, server: Conversation, session: Session, _: Transaction, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer our own extensions beside aiosmtpd's."""
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{offer}" for offer in server.offers), responses[-1]]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and arguments
        self, server: Conversation, session: Session, transaction: Transaction, address: str, options: list[str]
    ) -> str:
        """Take the sender of a client that has logged in (RFC 4954 section 6)."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if reply := (await server.act("mail")).reply:
            return reply
        transaction.mail_from = address
        transaction.mail_options.extend(options)
        return "250 2.1.0 Sender accepted"

    async def handle_RCPT(  # noqa: N802 - as above
        self, server: Conversation, _: Session, transaction: Transaction, address: str, options: list[str]
    ) -> str:
        """Take a recipient, unless a rule or the file of refusals names it."""
        if refused := (await server.act("rcpt", address)).reply or self._refusal(address):
            return refused
        transaction.rcpt_tos.append(address)
        transaction.rcpt_options.extend(options)
        return "250 2.1.5 Recipient accepted"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: Conversation, session: Session, transaction: Transaction
    ) -> str:
        """Keep the mail; it is on disk under its name before the reply goes out."""
        act = await server.act("dot", *transaction.rcpt_tos)
        if act.reply:
            return act.reply
        envelope = self._envelope(server, session, transaction)
        number = self.settings.mailbox.store(transaction.original_content or b"", envelope)
        if act.lose_answer:
            await server.pause(act.stall)
            await server.hang_up()
        return f"250 2.0.0 Mail accepted, queued as {number}"

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong on our side as temporary, and say it on stderr."""
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            typer.echo(f"The disk is full: a mail was not accepted ({error.filename}).", err=True)
            return "452 4.3.1 Insufficient system storage"
        if not isinstance(error, TLSSetupException):  # a client that does not trust us, which is its good right
            typer.echo(f"The relay could not answer: {type(error).__name__}: {error}", err=True)
        return "451 4.3.0 Local error"

    def _refusal(self, address: str) -> str | None:
        try:
            return reply_for(address, self.settings.refusals)
        except StubError as error:
            typer.echo(str(error), err=True)
            return "451 4.3.0 The list of refused recipients cannot be read"

    def _envelope(self, server: Conversation, session: Session, transaction: Transaction) -> Envelope:
        return Envelope(
            mail_from=str(transaction.mail_from),
            rcpt_to=list(transaction.rcpt_tos),
            listener=self.settings.listener,
            tls_version=_tls_version(server),
            login=_text(session.auth_data),
            ehlo=str(session.host_name),
            received_at=timestamps.write(time.time_ns()),
            client_certificate=_client_certificate(server),
        )


def _tls_version(server: SMTP) -> str:
    tls = server.transport.get_extra_info("ssl_object") if server.transport else None
    return str(tls.version()) if tls else ""


def _client_certificate(server: SMTP) -> str:
    """Return the common name that the client's certificate gives, empty if it showed none."""
    shown = (server.transport and server.transport.get_extra_info("peercert")) or {}
    names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if names else ""


def _text(login: object) -> str:
    return login.decode(errors="replace") if isinstance(login, bytes) else ""
