"""Time as a parameter: the flow asks a `Clock` for it, and never the operating system."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

TOLERANCE = timedelta(seconds=60)
"""How far two clocks may differ before the server's counts: its answer takes a while, and names whole seconds."""
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed() -> float:
    """Return seconds that never jump; those while the process was stopped count, and while the machine slept."""
    return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()


class Clock(Protocol):
    """A wall clock, a monotonic clock and a wait."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never jump; only differences mean something."""

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many seconds; say whether it was set."""

    def learn(self, servers: datetime | None, newest: datetime | None = None) -> timedelta:
        """Take in the identity server's time (None: it gave none); return how far the machine's is ahead of it.

        `newest` is the latest `send_after` of the messages that the server calls due, if there are any.
        """


class SteadyClock:
    """A wall clock that does not jump: set once, it runs with the machine's monotonic clock.

    A machine's clock that is wrong, or set while this runs, would make living links look expired. Links end by the
    identity server's time (HTTP's `Date`, RFC 9110, section 6.6.1); but a proxy may write `Date`, and be wrong, too.
    Where the two differ, which of them counts?

    1. One that is behind what is certain is wrong. A server calls a message due only after its `send_after`, and what
       both once agreed on does not run backwards.
    2. If both may be right, the earlier one counts: then nothing expires that one of them calls fresh.

    Where both agree, they are right, whatever they said before: the clock of a machine that runs both was set.
    """

    def __init__(self) -> None:
        self._is_servers = False
        self._certain: datetime | None = None  # as it was when the monotonic clock was 0
        self._set(self.machine())

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return self._anchor + timedelta(seconds=self.monotonic() - self._anchored)

    def machine(self) -> datetime:
        """Return the time of the machine's own clock, which may jump, and be wrong."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump; those while the machine slept count."""
        return elapsed()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so many seconds; say whether it was set."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        return event.is_set()

    def learn(self, servers: datetime | None, newest: datetime | None = None) -> timedelta:
        """Take in the server's time, or the machine's where none is known; return how far the machine's is ahead."""
        machine = self.machine()
        if servers is None:
            if not self._is_servers:
                self._set(machine)
            return timedelta(0)
        self._is_servers = True
        right = self._choose(machine, servers, newest)
        if abs(right - self.now()) > TOLERANCE:
            self._set(right)
        return machine - servers

    def _choose(self, machine: datetime, servers: datetime, newest: datetime | None) -> datetime:
        """Return the one of two times that counts, and keep what is certain from now on."""
        running = timedelta(seconds=self.monotonic())
        if abs(machine - servers) <= TOLERANCE:
            self._certain = min(machine, servers) - running
            return servers
        # What neither time can explain is not certain: the entry is strange, or both were set.
        latest = max(machine, servers) + TOLERANCE
        known = (newest, self._certain and self._certain + running)
        least = max((time for time in known if time is not None and time <= latest), default=None)
        if least is None:
            return min(machine, servers)
        self._certain = least - running
        return min(time for time in (machine, servers) if time >= least - TOLERANCE)

    def _set(self, now: datetime) -> None:
        self._anchor = now
        self._anchored = self.monotonic()
