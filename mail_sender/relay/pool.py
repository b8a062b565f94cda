"""The relay as a transport: as many connections as mails are in flight, kept for the mails that follow.

1. A mail takes the idle connection that was used last, because that one is the likeliest to stand, or a new one. So
   no more are open than mails were in flight; the caller bounds that.
2. Those that fewer mails in flight do not need stay idle, and are closed after a while.
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
from mail_sender.relay.seen import Seen
from mail_sender.relay.transport import BeforeDot
from mail_sender.tls import contexts
from mail_sender.tls.certificate import Certificate
from mail_sender.verdict import Verdict

LONGEST_IDLE = 5.0
"""Seconds for which a connection is kept that others have left idle: relays close them after 10 to 300."""


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
        self._idle: deque[tuple[float, Connection]] = deque()
        self._closing: set[asyncio.Task[None]] = set()
        self._seen = Seen()

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
            _, connection = self._idle.pop()
        else:
            connection = Connection(self._config, self._context, self._known, self._seen)
        self._seen.add(mail)
        verdict = await connection.send(mail, before_dot)
        now = asyncio.get_running_loop().time()
        if connection.is_open:
            self._idle.append((now, connection))
        while self._idle and self._idle[0][0] < now - LONGEST_IDLE:
            self._close(self._idle.popleft()[1])
        return verdict

    async def close(self) -> None:
        """Say goodbye to the relay on every idle connection."""
        while self._idle:
            self._close(self._idle.pop()[1])
        await asyncio.gather(*self._closing)

    def _close(self, connection: Connection) -> None:
        closing = asyncio.ensure_future(connection.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def context(config: RelayConfig) -> ssl.SSLContext:
    """Return the context for TLS with the relay. Raises `OSError` or `contexts.BadPem`."""
    made = contexts.pinned(config.pins) if config.pins else contexts.context(config.ca_path)
    if config.client_cert_path and config.client_key_path:
        contexts.add_client_certificate(made, config.client_cert_path, config.client_key_path)
    return made
