"""What the worker needs from any transport."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from mail_sender.mail.mail import Mail
from mail_sender.verdict import Verdict

BeforeDot = Callable[[], Awaitable[None]]


class Transport(Protocol):
    """A way out for mails, one at a time."""

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Hand the mail over, and return what became of it; the faults of relay and network are verdicts, too.

        `before_dot` is awaited when all but the final dot is written, before each dot: a relay that certainly did not
        take the mail may be asked once more. What it raises stops the mail, which has then certainly not been handed
        over.
        """

    async def close(self) -> None:
        """Give idle connections back; a later `send` opens what it needs, closing twice does no harm."""
