"""Time as a parameter: the flow asks a `Clock` for it, and never the operating system."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

TOLERANCE = timedelta(seconds=60)
"""How far two clocks may differ before the server's counts: its answer takes a while, and names whole seconds."""
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """A wall clock, a monotonic clock and a wait."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never jump; only differences mean something."""

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many seconds; say whether it was set."""

    def learn(self, servers: datetime | None) -> timedelta:
        """Take in the identity server's time (None: it gave none); return how far the machine's is ahead of it."""


class SteadyClock:
    """A wall clock that does not jump: set once, it runs with the machine's monotonic clock.

    A machine's clock that is wrong, or set while this runs, would make living links look expired. Links end by the
    identity server's time (HTTP's `Date`, RFC 9110, section 6.6.1), so that one counts where it is known.
    """

    def __init__(self) -> None:
        self._is_servers = False
        self._set(self.machine())

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return self._anchor + timedelta(seconds=self.monotonic() - self._anchored)

    def machine(self) -> datetime:
        """Return the time of the machine's own clock, which may jump, and be wrong."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump; those while the machine slept count."""
        return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many seconds; say whether it was set."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        return event.is_set()

    def learn(self, servers: datetime | None) -> timedelta:
        """Take in the server's time, or the machine's where none is known; return how far the machine's is ahead."""
        machine = self.machine()
        if servers is None:
            if not self._is_servers:
                self._set(machine)
            return timedelta(0)
        self._is_servers = True
        if abs(servers - self.now()) > TOLERANCE:
            self._set(servers)
        return machine - servers

    def _set(self, now: datetime) -> None:
        self._anchor = now
        self._anchored = self.monotonic()
