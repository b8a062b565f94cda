"""A connection to the relay, kept while mails follow each other.

1. A mail goes out on the open connection, or on a new one. If an open one takes no more mails (`session_limit`), the
   mail goes on a new one at once, and only that one's answer counts. How many mails the relay took is kept, and later
   connections are given back before. Whatever RSET gets but a yes, only the connection is lost. The same goes for a
   relay that may have broken the connection because commands came together (`pipelining`).
2. After a refusal the connection is kept. After anything else it is dropped, also when we are cancelled.
3. If the configuration leaves open how TLS starts on the port, TLS from the first byte is tried first. A relay that
   wants STARTTLS answers that in plain text, or waits. What was found is kept, for the other connections as well.
4. An access token that was got before and that the relay refuses is replaced, and one more login is tried.
"""

import ssl
import time
from dataclasses import dataclass

from mail_sender.errors import causes
from mail_sender.mail.mail import Mail
from mail_sender.relay import deadlines, replies, session_limit
from mail_sender.relay.channel import Rejected
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.conversation import Conversation, RelayFacts
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.relay_url import Security
from mail_sender.relay.seen import Seen
from mail_sender.relay.transaction import NotReset
from mail_sender.relay.transport import BeforeDot
from mail_sender.tls import contexts, shown
from mail_sender.tls.shown import Shown
from mail_sender.verdict import Accepted, Deferred, Refused, Reply, Stage, Verdict

OLDEST = 300.0
"""Seconds after which a connection is given back: by then the relay may have another address or certificate."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How far a rehearsal came: `facts` once the connection stood and the login was taken, `fault` what ended it.

    `shown` is the relay's certificate, also if that is why it ended.
    """

    facts: RelayFacts | None = None
    fault: Verdict | None = None
    shown: Shown | None = None


class Connection:
    """A connection to the relay, opened when it is needed."""

    def __init__(self, config: RelayConfig, context: ssl.SSLContext, known: KnownRelay, seen: Seen) -> None:
        self._config = config
        self._context = context
        self._known = known
        self._seen = seen
        self._conversation: Conversation | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that a mail could use."""
        return self._conversation is not None and self._conversation.is_open

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Hand the mail to the relay, and return what became of it."""
        mails = await self._kept()
        try:
            return await self._deliver(mail, before_dot)
        except (NotReset, *replies.FAULTS) as error:
            is_groups_fault = self._conversation is not None and self._conversation.breaks_group
            if not is_groups_fault and not self._is_used_up(error, mails):
                return self._ended(error)
            is_said = session_limit.is_said(error)
            at, opened_at = time.monotonic(), self._conversation.opened_at if self._conversation else 0.0
            is_limit = mails > 0 and not is_groups_fault and (is_said or not isinstance(error, NotReset))
        self._drop()
        try:
            return await self._deliver(mail, before_dot)
        except replies.FAULTS as error:
            return self._ended(error)
        finally:
            if is_limit and self._conversation is not None and self._conversation.mails > 0:
                self._known.connection_used_up(mails, opened_at, at, is_said=is_said)

    async def rehearse(self, sender: str | None, seconds: float) -> Rehearsed:
        """Do all that comes before a recipient is named, within so many seconds, and say goodbye.

        Without a `sender`, MAIL FROM is left out.
        """
        facts = None
        try:
            async with deadlines.within(seconds):
                conversation = await self._open()
                facts = conversation.facts
                if sender is not None:
                    await conversation.rehearse(sender)
        except replies.FAULTS as error:
            found = next(filter(None, map(shown.by, causes(error))), facts.shown if facts else None)
            return Rehearsed(facts, self._ended(error), found)
        finally:
            await self.close()
        return Rehearsed(facts, None, facts.shown)

    async def close(self) -> None:
        """Say goodbye to the relay, where there is a connection."""
        if self._conversation is not None:
            conversation, self._conversation = self._conversation, None
            await conversation.quit()

    async def _kept(self) -> int:
        """Return how many mails the kept connection has carried; one that takes no more, or is old, is given back."""
        if self._conversation is None:
            return 0
        if not self.is_open:
            self._drop()
            return 0
        mails = self._conversation.mails
        limit = self._known.mails_per_connection
        if (limit is not None and mails >= limit) or self._conversation.opened_at < time.monotonic() - OLDEST:
            await self.close()
            return 0
        return mails

    async def _deliver(self, mail: Mail, before_dot: BeforeDot) -> Accepted:
        try:
            conversation = self._conversation or await self._open()
            return Accepted(await conversation.deliver(mail, before_dot))
        except (NotReset, *replies.FAULTS):
            raise
        except BaseException:
            self._drop()
            raise

    def _is_used_up(self, error: Exception, mails: int) -> bool:
        if isinstance(error, NotReset):
            return True
        return mails > 0 and session_limit.is_used_up(self._stage, error)

    def _ended(self, error: Exception) -> Verdict:
        verdict = self._verdict(error)
        if not self._may_go_on(verdict):
            self._drop()
        return verdict

    async def _open(self) -> Conversation:
        if self._known.security is not Security.DISCOVER:
            return await self._begin(self._known.security)
        try:
            conversation = await self._begin(Security.IMPLICIT)
        except OSError as error:
            # A relay that wants STARTTLS may greet late, and say nothing to our handshake until then.
            is_silent = isinstance(error, TimeoutError) and self._stage is Stage.TLS
            if not is_silent and not replies.speaks_plain(error):
                raise
            self._drop()
            conversation = await self._begin(Security.STARTTLS)
        self._known.found_security(conversation.security)
        return conversation

    async def _begin(self, security: Security) -> Conversation:
        began = time.monotonic()
        try:
            return await self._opened(security)
        except Rejected:
            token = self._conversation.refused if self._conversation else None
            if token is None or token.got >= began:
                raise
        self._drop()
        return await self._opened(security)

    async def _opened(self, security: Security) -> Conversation:
        self._conversation = Conversation(self._config, self._context, self._known, self._seen)
        await self._conversation.open(security)
        self._known.certificate = self._conversation.certificate
        return self._conversation

    @property
    def _stage(self) -> Stage:
        return self._conversation.stage if self._conversation else Stage.RESOLVE

    def _verdict(self, error: Exception) -> Verdict:
        security = self._conversation.security if self._conversation else self._known.security
        asked = self._conversation is not None and contexts.is_asked(self._context)
        return replies.verdict(self._stage, error, self._config, security, asked=asked)

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
