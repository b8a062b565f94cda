"""The relay as a transport: one connection, kept while letters follow each other.

A letter goes out on the open connection, or on a new one. Where an open one turns out to be dead before the
letter was begun (relays close idle connections, and some close after so many mails), a new one is opened, once.
After a refusal the connection is kept; after anything else it is dropped, also when we are cancelled.
Where the configuration leaves open how TLS starts on the port, TLS from the first byte is tried first: a relay
that wants STARTTLS answers that in plain text, which tells; what was found is kept.
"""

import ssl
from collections.abc import Callable

from mail_sender import tls
from mail_sender.deliver import replies
from mail_sender.deliver.base import BeforeDot
from mail_sender.deliver.conversation import Conversation
from mail_sender.relay_address import Security
from mail_sender.render import Letter
from mail_sender.settings import RelayConfig
from mail_sender.verdict import Accepted, Deferred, LaneDown, Refused, Reply, Stage, Verdict

Discovered = Callable[[Security], None]


class SmtpTransport:
    """A relay over TLS.

    `discovered` is told how TLS starts, where that had to be found out.
    Raises `OSError` or `tls.BadPem` where a certificate cannot be used.
    """

    def __init__(self, config: RelayConfig, discovered: Discovered) -> None:
        self._config = config
        self._context = _context(config)
        self._security = config.security
        self._discovered = discovered
        self._conversation: Conversation | None = None

    async def send(self, letter: Letter, before_dot: BeforeDot) -> Verdict:
        """Hand the letter to the relay, and return what became of it."""
        reused = self._conversation is not None and self._conversation.is_open
        if not reused:
            self._drop()
        verdict = await self._attempt(letter, before_dot)
        if reused and isinstance(verdict, LaneDown) and verdict.stage is Stage.MAIL and not verdict.lasting:
            verdict = await self._attempt(letter, before_dot)
        return verdict

    async def close(self) -> None:
        """Say goodbye to the relay, where there is a connection."""
        if self._conversation is not None:
            conversation, self._conversation = self._conversation, None
            await conversation.quit()

    async def _attempt(self, letter: Letter, before_dot: BeforeDot) -> Verdict:
        try:
            conversation = self._conversation or await self._open()
            return Accepted(await conversation.deliver(letter, before_dot))
        except replies.FAULTS as error:
            verdict = self._verdict(error)
            if not self._may_go_on(verdict):
                self._drop()
            return verdict
        except BaseException:
            self._drop()
            raise

    async def _open(self) -> Conversation:
        if self._security is not Security.DISCOVER:
            return await self._begin(self._security)
        try:
            conversation = await self._begin(Security.IMPLICIT)
        except OSError as error:
            if not replies.speaks_plain(error):
                raise
            self._drop()
            conversation = await self._begin(Security.STARTTLS)
        self._security = conversation.security
        self._discovered(self._security)
        return conversation

    async def _begin(self, security: Security) -> Conversation:
        self._conversation = Conversation(self._config, self._context)
        await self._conversation.open(security)
        return self._conversation

    def _verdict(self, error: Exception) -> Verdict:
        if self._conversation is None:
            return replies.verdict(Stage.RESOLVE, error, self._config, self._security)
        return replies.verdict(self._conversation.stage, error, self._config, self._conversation.security)

    def _may_go_on(self, verdict: Verdict) -> bool:
        """Say whether the connection can be kept: after a refusal, but not from the middle of a body."""
        match verdict:
            case Refused(stage, _, Reply(code)) | Deferred(stage, Reply(code)):
                return code != 421 and stage is not Stage.BODY
            case _:
                return False

    def _drop(self) -> None:
        if self._conversation is not None:
            self._conversation.abort()
            self._conversation = None


def _context(config: RelayConfig) -> ssl.SSLContext:
    context = tls.context(config.ca_path)
    if config.client_cert_path and config.client_key_path:
        tls.add_client_certificate(context, config.client_cert_path, config.client_key_path)
    return context
