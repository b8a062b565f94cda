"""`-t`: one test mail, through the code that real mail takes, and nothing else.

No ledger, no retry, no breaker. The identity server is looked at beside it, since a sender that cannot read the
queue is of no use either, but it does not decide.
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
from mail_sender.source.base import Source
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Uncertain, Verdict

_SERVER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test mail: what the relay made of it, its Message-ID, and a sentence about the server."""

    verdict: Verdict
    message_id: str
    server: str
    server_fine: bool

    @property
    def exit_code(self) -> Exit:
        """What the relay's verdict is to a script."""
        match self.verdict:
            case Accepted():
                return Exit.DONE
            case Refused() | RelayDown(lasting=True):
                return Exit.FAILED
            case Deferred() | RelayDown() | Uncertain():
                return Exit.TEMPORARY


@dataclass(frozen=True, slots=True)
class Trial:
    """The parts that a test mail needs."""

    source: Source
    transport: Transport
    mail: MailConfig
    clock: Clock

    async def send(self, recipient: str) -> Result:
        """Send one test mail to an address, and look at the identity server meanwhile."""
        try:
            (verdict, message_id), (server, fine) = await asyncio.gather(self._mail(recipient), self._look())
        finally:
            await self.transport.close()
            await self.source.close()
        return Result(verdict, message_id, server, fine)

    async def _mail(self, recipient: str) -> tuple[Verdict, str]:
        now = self.clock.now().replace(microsecond=0)
        message = Message(uuid4(), now, now + timedelta(days=7), (recipient,), TestMessage(display_name=""))
        try:
            mail = render(message, recipient, self.mail, now)
        except (Unrenderable, BrokenTemplate) as error:
            return Refused(None, str(error)), ""
        return await self.transport.send(mail, _nothing), mail.message_id

    async def _look(self) -> tuple[str, bool]:
        try:
            async with asyncio.timeout(_SERVER_SECONDS):
                standing = await self.source.standing()
                listing = await self.source.list_ready(self.clock.now())
        except ServerFault as fault:
            return f"{fault.detail}; {fault.advice}", False
        except TimeoutError:
            return f"no answer within {_SERVER_SECONDS:.0f} s; look at the server", False
        marks = " and mark it" if standing.may_write else "; whether it may mark it, this server does not tell"
        return f"{standing.account} may read the queue{marks}; {len(listing.messages)} ready", True


async def _nothing() -> None:
    """Write nothing before the dot: a test mail has no ledger."""
