"""`-t`: one test mail, through the code that real mail takes, and nothing else.

There is no ledger, no retry and no circuit breaker. The identity server is checked at the same time, since a sender
that cannot read the queue cannot work either; but only the relay's verdict decides the exit code.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from mail_sender.clock import Clock
from mail_sender.errors import Exit, ServerFault
from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.message import Message, TestMessage
from mail_sender.relay.transport import Transport
from mail_sender.sender.own_fault import Suspicions
from mail_sender.source.base import Source
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Throttled, Uncertain, Verdict

_SERVER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a test mail: the relay's verdict, the Message-ID, and a sentence about the identity server."""

    verdict: Verdict
    message_id: str
    server: str
    server_fine: bool

    @property
    def exit_code(self) -> Exit:
        """The exit code that the relay's verdict gives."""
        match self.verdict:
            case Accepted():
                return Exit.DONE
            case Refused() | RelayDown(lasting=True):
                return Exit.FAILED
            case Deferred() | Throttled() | RelayDown() | Uncertain():
                return Exit.TEMPORARY


@dataclass(slots=True)
class Progress:
    """How far a test mail has come: all that is known of it if it is interrupted.

    `dot` says that its final dot may be out; there is a `verdict` once the relay has given one.
    """

    message_id: str = ""
    dot: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class TestMail:
    """The parts that a test mail needs."""

    __test__ = False  # pytest collects classes named Test*

    source: Source
    transport: Transport
    mail: MailConfig
    clock: Clock

    async def send(self, recipient: str, progress: Progress) -> Result:
        """Send one test mail to an address, and check the identity server meanwhile; keep `progress` up to date."""
        try:
            verdict, (server, fine) = await asyncio.gather(self._mail(recipient, progress), self._check_server())
        finally:
            await self.transport.close()
            await self.source.close()
        return Result(verdict, progress.message_id, server, fine)

    async def _mail(self, recipient: str, progress: Progress) -> Verdict:
        now = self.clock.now().replace(microsecond=0)
        message = Message(uuid4(), now, now + timedelta(days=7), (recipient,), TestMessage(display_name=""))
        try:
            mail = render(message, recipient, self.mail, now)
        except (Unrenderable, BrokenTemplate) as error:
            progress.verdict = Refused(None, str(error))
            return progress.verdict

        async def before_dot() -> None:
            progress.dot = True

        progress.message_id = mail.message_id
        verdict = await self.transport.send(mail, before_dot)
        progress.verdict = Suspicions().judge((message.id, recipient), verdict, 0.0)
        return progress.verdict

    async def _check_server(self) -> tuple[str, bool]:
        try:
            async with asyncio.timeout(_SERVER_SECONDS):
                standing = await self.source.standing()
                listing = await self.source.list_ready(self.clock.now())
        except ServerFault as fault:
            return f"{fault.detail}; {fault.advice}", False
        except TimeoutError:
            return f"no answer within {_SERVER_SECONDS:.0f} s; check the server", False
        marks = " and mark it" if standing.may_write else "; this server does not show whether it may mark it"
        return f"{standing.account} may read the queue{marks}; {len(listing.ids)} ready", True
