"""A connection to the relay, kept while mails follow each other.

1. A mail goes out on the open connection, or on a new one. If an open one turns out to be dead before the mail was
   begun (relays close idle connections, and some close after so many mails), a new one is opened, once.
2. After a refusal the connection is kept. After anything else it is dropped, also when we are cancelled.
3. If the configuration leaves open how TLS starts on the port, TLS from the first byte is tried first. A relay that
   wants STARTTLS answers that in plain text. What was found is kept, for the other connections as well.
"""

import ssl
from collections.abc import Callable, Collection

from mail_sender.mail.mail import Mail
from mail_sender.relay import replies
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.conversation import Conversation
from mail_sender.relay.endpoint import Security
from mail_sender.relay.transport import BeforeDot
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Reply, Stage, Verdict

Discovered = Callable[[Security], None]


class TlsStart:
    """How TLS starts on the relay's port: configured, or found out by the first connection that comes through."""

    def __init__(self, security: Security, discovered: Discovered) -> None:
        self.security = security
        self._discovered = discovered

    def found(self, security: Security) -> None:
        """Keep what was found out, and report it, once."""
        if self.security is Security.DISCOVER:
            self.security = security
            self._discovered(security)


class Connection:
    """A connection to the relay, opened when it is needed."""

    def __init__(self, config: RelayConfig, context: ssl.SSLContext, start: TlsStart, seen: Collection[Mail]) -> None:
        self._config = config
        self._context = context
        self._start = start
        self._seen = seen
        self._conversation: Conversation | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that a mail could use."""
        return self._conversation is not None and self._conversation.is_open

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Hand the mail to the relay, and return what became of it."""
        reused = self.is_open
        if not reused:
            self._drop()
        verdict = await self._attempt(mail, before_dot)
        if reused and isinstance(verdict, RelayDown) and verdict.stage is Stage.MAIL and not verdict.lasting:
            verdict = await self._attempt(mail, before_dot)
        return verdict

    async def close(self) -> None:
        """Say goodbye to the relay, where there is a connection."""
        if self._conversation is not None:
            conversation, self._conversation = self._conversation, None
            await conversation.quit()

    async def _attempt(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        try:
            conversation = self._conversation or await self._open()
            return Accepted(await conversation.deliver(mail, before_dot))
        except replies.FAULTS as error:
            verdict = self._verdict(error)
            if not self._may_go_on(verdict):
                self._drop()
            return verdict
        except BaseException:
            self._drop()
            raise

    async def _open(self) -> Conversation:
        if self._start.security is not Security.DISCOVER:
            return await self._begin(self._start.security)
        try:
            conversation = await self._begin(Security.IMPLICIT)
        except OSError as error:
            if not replies.speaks_plain(error):
                raise
            self._drop()
            conversation = await self._begin(Security.STARTTLS)
        self._start.found(conversation.security)
        return conversation

    async def _begin(self, security: Security) -> Conversation:
        self._conversation = Conversation(self._config, self._context, self._seen)
        await self._conversation.open(security)
        return self._conversation

    def _verdict(self, error: Exception) -> Verdict:
        if self._conversation is None:
            return replies.verdict(Stage.RESOLVE, error, self._config, self._start.security)
        return replies.verdict(self._conversation.stage, error, self._config, self._conversation.security)

    def _may_go_on(self, verdict: Verdict) -> bool:
        """Say whether the connection can be kept: after a refusal, but not from the middle of a body."""
        match verdict:
            case Refused(reply=None):
                return True  # ours: the relay was not asked
            case Refused(stage, _, Reply(code)) | Deferred(stage, Reply(code)):
                return code != 421 and stage is not Stage.BODY
            case _:
                return False

    def _drop(self) -> None:
        if self._conversation is not None:
            self._conversation.abort()
            self._conversation = None
