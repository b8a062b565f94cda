"""Faults put into the product on purpose, around its Protocols: what the campaign is there to find."""

from uuid import UUID

import structlog

from mail_sender.errors import ServerFault
from mail_sender.ledger.base import Ledger
from mail_sender.mail.mail import Mail
from mail_sender.relay.transport import BeforeDot, Transport
from mail_sender.source.base import Source
from mail_sender.verdict import Accepted, Reply, Verdict
from tests.faults.rig_place import PASSWORD
from tests.faults.rig_tap import overridden


def without_dot(ledger: Ledger) -> Ledger:
    """Return a ledger that does not commit before the dot."""

    async def dot(*_: object) -> None:
        """Write nothing."""

    return overridden(ledger, dot=dot)


def without_retry_of_marks(source: Source) -> Source:
    """Return a source that takes a mark for made, whatever the server says."""

    async def mark_sent(message: UUID) -> None:
        try:
            await source.mark_sent(message)
        except ServerFault:
            return

    return overridden(source, mark_sent=mark_sent)


def twice(transport: Transport) -> Transport:
    """Return a transport that sends everything two times."""

    async def send(mail: Mail, before_dot: BeforeDot) -> Verdict:
        await transport.send(mail, before_dot)
        return await transport.send(mail, nothing)

    return overridden(transport, send=send)


def never(transport: Transport) -> Transport:
    """Return a transport that says that it has sent, and has not."""

    async def send(_mail: Mail, before_dot: BeforeDot) -> Verdict:
        await before_dot()
        return Accepted(Reply(250, "2.0.0 of course"))

    return overridden(transport, send=send)


def talkative(transport: Transport) -> Transport:
    """Return a transport that logs its password."""

    async def send(mail: Mail, before_dot: BeforeDot) -> Verdict:
        structlog.get_logger().info("hello", with_words=f"my word is {PASSWORD}")
        return await transport.send(mail, before_dot)

    return overridden(transport, send=send)


async def nothing() -> None:
    """Do nothing before the dot."""
