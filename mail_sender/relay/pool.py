"""The relay as a transport: as many connections as mails are in flight, kept for the mails that follow.

A mail takes the idle connection that was used last, because that one is the likeliest to stand, or a new one. The
caller bounds how many mails are in flight.
"""

import asyncio
import ssl
from collections import deque
from datetime import datetime

from mail_sender.mail.mail import Mail
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.connection import Connection
from mail_sender.relay.known import Discovered, KnownRelay, Spoken, unheard
from mail_sender.relay.oauth import tokens
from mail_sender.relay.transport import BeforeDot
from mail_sender.tls import contexts
from mail_sender.tls.certificate import Certificate
from mail_sender.verdict import Verdict

_MOST_QUOTED = 64  # mails that a relay may still quote


class SmtpTransport:
    """A relay over TLS.

    `discovered` is called with how TLS starts, if that had to be found out, `spoken` with each step of a talk.
    Raises `OSError` or `contexts.BadPem` if a certificate cannot be used.
    """

    def __init__(self, config: RelayConfig, discovered: Discovered, spoken: Spoken = unheard) -> None:
        self._config = config
        self._context = context(config)
        self._known = KnownRelay(config.security, discovered, spoken)
        self._tokens = tokens.of(config.oauth) if config.oauth else None
        self._idle: list[Connection] = []
        self._seen: deque[Mail] = deque(maxlen=_MOST_QUOTED)

    @property
    def certificate(self) -> Certificate | None:
        """How long the certificates are good that the relay showed last; None before the first connection."""
        return self._known.certificate

    @property
    def token_expires_at(self) -> datetime | None:
        """When the access token in use ends; None without OAuth, and before the first login."""
        return self._tokens.expires_at if self._tokens else None

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Hand the mail to the relay, and return what became of it."""
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = Connection(self._config, self._context, self._known, self._seen)
        self._seen.append(mail)
        verdict = await connection.send(mail, before_dot)
        if connection.is_open:
            self._idle.append(connection)
        return verdict

    async def close(self) -> None:
        """Say goodbye to the relay on every idle connection."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))


def context(config: RelayConfig) -> ssl.SSLContext:
    """Return the context for TLS with the relay. Raises `OSError` or `contexts.BadPem`."""
    made = contexts.pinned(config.pins) if config.pins else contexts.context(config.ca_path)
    if config.client_cert_path and config.client_key_path:
        contexts.add_client_certificate(made, config.client_cert_path, config.client_key_path)
    return made
