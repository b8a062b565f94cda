"""A clock that only moves when it is told to, or when somebody waits on it: a wait is over at once."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """Wall clock and monotonic clock in step.

    `waits` are the seconds that were waited for. As soon as there are `stop_after` of them, the event that is waited
    for is set.
    """

    def __init__(self, start: datetime = START) -> None:
        self.waits: list[float] = []
        self.stop_after: int | None = None
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the time that it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that have passed since it was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Let the seconds pass at once, and other tasks run once; say whether the event was set."""
        self.waits.append(seconds)
        if not event.is_set():
            self.advance(seconds)
            await asyncio.sleep(0)
        if len(self.waits) == self.stop_after:
            event.set()
        return event.is_set()
