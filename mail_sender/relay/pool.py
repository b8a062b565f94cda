"""The relay as a transport: as many lines as letters are under way, each kept while there is a letter for it.

A letter takes the line that was used last, since that one is the likeliest to stand, or a new one. How many letters
are under way is the caller's to bound.
"""

import asyncio
import ssl
from collections import deque

from mail_sender import tls
from mail_sender.mail.mail import Mail
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.connection import Discovered, Line, Start
from mail_sender.relay.transport import BeforeDot
from mail_sender.verdict import Verdict

_MOST_QUOTED = 64  # letters of which a relay may still say something


class SmtpTransport:
    """A relay over TLS.

    `discovered` is told how TLS starts, where that had to be found out.
    Raises `OSError` or `tls.BadPem` where a certificate cannot be used.
    """

    def __init__(self, config: RelayConfig, discovered: Discovered) -> None:
        self._config = config
        self._context = _context(config)
        self._start = Start(config.security, discovered)
        self._idle: list[Line] = []
        self._seen: deque[Mail] = deque(maxlen=_MOST_QUOTED)

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Hand the letter to the relay, and return what became of it."""
        line = self._idle.pop() if self._idle else Line(self._config, self._context, self._start, self._seen)
        self._seen.append(mail)
        verdict = await line.send(mail, before_dot)
        if line.is_open:
            self._idle.append(line)
        return verdict

    async def close(self) -> None:
        """Say goodbye to the relay on every line that is idle."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(line.close() for line in idle))


def _context(config: RelayConfig) -> ssl.SSLContext:
    context = tls.context(config.ca_path)
    if config.client_cert_path and config.client_key_path:
        tls.add_client_certificate(context, config.client_cert_path, config.client_key_path)
    return context
