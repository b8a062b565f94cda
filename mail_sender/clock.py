"""Time as a parameter: what stages use instead of asking the operating system."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

TOLERANCE = timedelta(seconds=60)
"""How far two clocks may be apart before the server's counts: its answer took a while, and tells whole seconds."""
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """Wall clock, monotonic clock and the wait between two polls."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump; only differences mean something."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many seconds; say whether it was set."""
        ...

    def learn(self, told: datetime | None) -> timedelta:
        """Take in the time that the identity server tells; return by how much the machine's differs from it."""
        ...


class SteadyClock:
    """A wall clock that does not jump: set once, it runs with the machine's monotonic clock.

    Somebody who sets the machine's clock, or a machine that starts with a wrong one, would make links look dead
    that live. The identity server's time is the one in which links end: where it tells it, it is believed.
    """

    def __init__(self) -> None:
        self._told = False
        self._set(self.machine())

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return self._anchor + timedelta(seconds=self.monotonic() - self._anchored)

    def machine(self) -> datetime:
        """Return what the machine's own clock shows: it may jump, and be wrong."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some moment; those while the machine slept count."""
        return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many seconds; say whether it was set."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        return event.is_set()

    def learn(self, told: datetime | None) -> timedelta:
        """Take the server's time in, or the machine's where it tells none; return how wrong the machine's is."""
        machine = self.machine()
        if told is None:
            if not self._told:
                self._set(machine)
            return timedelta(0)
        self._told = True
        if abs(told - self.now()) > TOLERANCE:
            self._set(told)
        return machine - told

    def _set(self, moment: datetime) -> None:
        self._anchor = moment
        self._anchored = self.monotonic()
