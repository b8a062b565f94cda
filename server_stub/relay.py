"""The relay: two SMTP listeners that take mail over TLS with a login, and keep it.

`smtps` speaks TLS from the first byte (RFC 8314), `smtp` demands STARTTLS before anything else (RFC 3207). Both offer
AUTH PLAIN and LOGIN inside TLS only, and want a login before MAIL. aiosmtpd runs in our own event loop.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import typer
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Conversation

from server_stub import instant
from server_stub.errors import StubError
from server_stub.mailbox import Envelope, Mailbox
from server_stub.refusals import reply_for

HOSTNAME = "localhost"  # given, or aiosmtpd asks the DNS for one at every connection
AUTH_FAILED = "535 5.7.8 Authentication credentials invalid"


@dataclass(frozen=True)
class Login:
    """The one user who may send."""

    user: str
    password: str

    def __call__(self, _: SMTP, __: Session, ___: Conversation, ____: str, given: object) -> AuthResult:
        """Check what PLAIN or LOGIN brought, in aiosmtpd's terms."""
        if isinstance(given, LoginPassword) and self._matches(given):
            return AuthResult(success=True, auth_data=given.login)
        return AuthResult(success=False, handled=False, message=AUTH_FAILED)

    def _matches(self, given: LoginPassword) -> bool:
        same_user = hmac.compare_digest(given.login, self.user.encode())
        return hmac.compare_digest(given.password, self.password.encode()) and same_user


@dataclass(frozen=True)
class Hooks:
    """What happens at each stage of a conversation; each method is named by aiosmtpd and returns the reply."""

    listener: str
    mailbox: Mailbox
    refusals: Path

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and arguments
        self, _: SMTP, session: Session, conversation: Conversation, address: str, options: list[str]
    ) -> str:
        """Take the sender of a client that has logged in (RFC 4954 section 6)."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        conversation.mail_from = address
        conversation.mail_options.extend(options)
        return "250 2.1.0 Sender accepted"

    async def handle_RCPT(  # noqa: N802 - as above
        self, _: SMTP, __: Session, conversation: Conversation, address: str, options: list[str]
    ) -> str:
        """Take a recipient, unless the file of refusals names it."""
        try:
            refused = reply_for(address, self.refusals)
        except StubError as error:
            typer.echo(str(error), err=True)
            return "451 4.3.0 The list of refused recipients cannot be read"
        if refused:
            return refused
        conversation.rcpt_tos.append(address)
        conversation.rcpt_options.extend(options)
        return "250 2.1.5 Recipient accepted"

    async def handle_DATA(self, server: SMTP, session: Session, conversation: Conversation) -> str:  # noqa: N802
        """Keep the mail; it is on disk under its name before the reply goes out."""
        content = conversation.original_content or b""
        self.mailbox.store(content, self._envelope(server, session, conversation))
        return "250 2.0.0 Mail accepted"

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong on our side as temporary, and say it on stderr."""
        typer.echo(f"The relay could not answer: {type(error).__name__}: {error}", err=True)
        return "451 4.3.0 Local error"

    def _envelope(self, server: SMTP, session: Session, conversation: Conversation) -> Envelope:
        return Envelope(
            mail_from=str(conversation.mail_from),
            rcpt_to=list(conversation.rcpt_tos),
            listener=self.listener,
            tls_version=_tls_version(server),
            login=_text(session.auth_data),
            ehlo=str(session.host_name),
            received_at=instant.write(time.time_ns()),
        )


def _tls_version(server: SMTP) -> str:
    tls = server.transport.get_extra_info("ssl_object") if server.transport else None
    return str(tls.version()) if tls else ""


def _text(login: object) -> str:
    return login.decode(errors="replace") if isinstance(login, bytes) else ""


@dataclass(frozen=True)
class Relay:
    """Both listeners, before they listen."""

    login: Login
    mailbox: Mailbox
    refusals: Path
    tls: ssl.SSLContext

    async def listen(self, smtps: socket.socket, smtp: socket.socket) -> list[asyncio.Server]:
        """Start both listeners on bound sockets."""
        # Its warnings are about what clients do wrong here on purpose.
        logging.getLogger("mail").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()
        implicit = await loop.create_server(self._implicit_tls, sock=smtps, ssl=self.tls)
        explicit = await loop.create_server(self._starttls, sock=smtp)
        return [implicit, explicit]

    def _implicit_tls(self) -> SMTP:
        # aiosmtpd knows only STARTTLS and would offer no AUTH inside implicit TLS unless told that it needs none.
        return SMTP(self._hooks("smtps"), hostname=HOSTNAME, authenticator=self.login, auth_require_tls=False)

    def _starttls(self) -> SMTP:
        return SMTP(
            self._hooks("smtp"),
            hostname=HOSTNAME,
            authenticator=self.login,
            tls_context=self.tls,
            require_starttls=True,
        )

    def _hooks(self, listener: str) -> Hooks:
        return Hooks(listener, self.mailbox, self.refusals)
