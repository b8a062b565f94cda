"""What the worker needs from any transport."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from mail_sender import clock
from mail_sender.mail.mail import Mail
from mail_sender.verdict import Verdict

BeforeDot = Callable[[], Awaitable[float | None]]
"""Returns until when the dot may go out, on `clock.elapsed`; None: at any time."""


class DotLate(Exception):
    """The time in which the dot might go out had passed: the mail has certainly not been handed over."""


def require_in_time(until: float | None) -> None:
    """Raise `DotLate` if a dot may not go out any more. It is the last thing to be done before the dot."""
    if until is not None and clock.elapsed() >= until:
        raise DotLate


class Transport(Protocol):
    """A way out for mails, one at a time."""

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Hand the mail over, and return what became of it; the faults of relay and network are verdicts, too.

        `before_dot` is awaited when all but the final dot is written, before each dot: a relay that certainly did not
        take the mail may be asked once more. What it raises stops the mail, which has then certainly not been handed
        over. So does the end of the time that it returns: `DotLate` is raised.
        """

    async def close(self) -> None:
        """Give idle connections back; a later `send` opens what it needs, closing twice does no harm."""
