"""A clock that runs faster than the world's, so that a wait of minutes takes a moment.

It only ever runs forward and evenly, unless a case steps it. Two clocks with the same `Epoch` show the same time, also
in two processes: the system's monotonic clock is one for all of them.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Epoch:
    """Where a clock began: real monotonic seconds, the time that it showed then, its seconds per real second."""

    origin: float = field(default_factory=time.monotonic)
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    speed: float = 1000.0


class FastClock:
    """A clock of the product's kind; `step` moves its wall clock alone, as an operator or NTP does."""

    def __init__(self, epoch: Epoch | None = None) -> None:
        self.epoch = epoch or Epoch()
        self.step = timedelta()

    def now(self) -> datetime:
        """Return the wall clock's time, aware, in UTC."""
        return self.epoch.start + self.step + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the fast seconds since the epoch."""
        return (time.monotonic() - self.epoch.origin) * self.epoch.speed

    def run_at(self, speed: float) -> None:
        """Run at another speed from now on; no other process may have this clock."""
        origin = time.monotonic() - self.monotonic() / speed
        self.epoch = replace(self.epoch, origin=origin, speed=speed)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many fast seconds; say whether it was set."""
        try:
            async with asyncio.timeout(max(seconds, 0.0) / self.epoch.speed):
                await event.wait()
        except TimeoutError:
            pass
        return event.is_set()

    def learn(self, date: datetime | None, newest: datetime | None = None) -> timedelta:
        """Leave the clock as it is: the server's Date is of the slow world. Says that the machine's is right."""
        return timedelta(0)
