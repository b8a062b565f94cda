"""The sender's own clock on a machine whose time is made up."""

import asyncio
from datetime import UTC, datetime, timedelta

from mail_sender.clock import SteadyClock

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class FakeClock(SteadyClock):
    """A steady clock that reads the running loop's time.

    `true` is the time that everybody else has, `off` by how much the machine's clock is ahead of it, now; `waits` are
    the seconds that were waited for.
    """

    def __init__(self, start: datetime = START, off: timedelta = timedelta(0)) -> None:
        self._loop = asyncio.get_running_loop()
        self._start = start - timedelta(seconds=self._loop.time())
        self.off = off
        self.waits: list[float] = []
        super().__init__()

    @property
    def true(self) -> datetime:
        """The time of the world."""
        return self._start + timedelta(seconds=self._loop.time())

    def machine(self) -> datetime:
        """Return the time that the machine believes to have."""
        return self.true + self.off

    def monotonic(self) -> float:
        """Return the loop's seconds."""
        return self._loop.time()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait as the real one does, and keep how long."""
        self.waits.append(seconds)
        return await super().wait(event, seconds)
