"""What those who show a sender ask it for: which loops hang, its status, and its last deliveries."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mail_sender.ledger.base import Entry
from mail_sender.observe.status import Status
from mail_sender.sender.heartbeat import Late

STATUS_SECONDS = 5.0
"""How long the status may take; the ledger may be busy."""

TOO_BUSY = "the ledger did not answer in time"
STANDING_BY = "another mail-sender uses the ledger; this one stands by"


@dataclass(frozen=True, slots=True)
class Watched:
    """A sender at work. `late` waits for nothing; the others may wait for the ledger.

    `last` gives the last deliveries, and none where the ledger cannot be read.
    """

    late: Callable[[], list[Late]]
    status: Callable[[], Awaitable[Status]]
    last: Callable[[], Awaitable[Sequence[Entry]]]

    async def status_in_time(self) -> Status | None:
        """Return the status; None if the ledger is busy for too long (`STATUS_SECONDS`)."""
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                return await self.status()
        except TimeoutError:
            return None
