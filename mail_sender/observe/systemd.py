"""The service as systemd sees it: which notification goes out when (`sd_notify` sends them).

1. Ready is a sender whose first poll has ended, well or with a fault that the log names: to wait longer would only
   delay what starts after it. One that stands by is ready, too. Until then the start is extended, as long as no loop
   hangs: the list of a long queue takes its time.
2. The status is one line: what is at fault, and what is in the ledger. It is sent when it has changed.
3. The watchdog hears of us by half its time, but only while all loops turn. A loop that hangs is silence, and so is
   an event loop that hangs; then systemd ends the process and starts it anew.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from mail_sender.clock import Clock
from mail_sender.observe.reporter import Reporter
from mail_sender.observe.sd_notify import Systemd
from mail_sender.observe.status import Status

TURN = 1.0
"""Seconds between two looks at the sender, at most."""
STOP_MARGIN = 2.0
"""Seconds that the end of the process takes beside its grace period."""
STATUS_EVERY = 10.0
"""Seconds between two readings of the ledger for the status; a change of the health is shown at the next look."""
EXTENDED_BY = 30.0
"""Seconds by which a start that takes long is extended, each time when a third of them has passed."""

_REJECTED = "the changed configuration has faults and is not in use"


class Service:
    """Tells systemd of the sender, from the start of the process to its end.

    `reporter` is there as soon as the sender works; `standing_by` says who works instead, while somebody does;
    `is_rejected` says whether the files of the configuration have faults, and an earlier one is in use.
    """

    def __init__(self, systemd: Systemd, clock: Clock) -> None:
        self.reporter: Reporter | None = None
        self.standing_by: str | None = None
        self.is_rejected: Callable[[], bool] = bool
        self._systemd = systemd
        self._clock = clock
        watchdog = systemd.watchdog_seconds
        self._turn_seconds = TURN if watchdog is None else min(TURN, watchdog / 4)
        self._beat_at = self._extended_at = float("-inf")

    def reloading(self) -> AbstractContextManager[None]:
        """Say that the configuration is read anew, for as long as what is returned is entered."""
        return self._systemd.reloading()

    async def run(self, stop: asyncio.Event, grace_seconds: float) -> None:
        """Tell it until the stop event is set, or this is cancelled; last, that the process ends within the grace."""
        if not self._systemd.is_there:
            return
        showing = asyncio.ensure_future(self._show())
        try:
            while not stop.is_set():
                self._look()
                await self._clock.wait(stop, self._turn_seconds)
        finally:
            showing.cancel()
            self._systemd.stopping(grace_seconds + STOP_MARGIN)

    def _look(self) -> None:
        now, watchdog = self._clock.monotonic(), self._systemd.watchdog_seconds
        hangs = bool(self.reporter and self.reporter.late())
        if not self._systemd.is_ready and self._may_be_ready:
            self._systemd.ready()
        if hangs:
            return
        if not self._systemd.is_ready and now - self._extended_at >= EXTENDED_BY / 3:
            self._extended_at = now
            self._systemd.extend(EXTENDED_BY)
        if watchdog is not None and now + self._turn_seconds - self._beat_at > watchdog / 2:
            self._beat_at = now
            self._systemd.beat()

    @property
    def _may_be_ready(self) -> bool:
        polled = self.reporter is not None and self.reporter.health().poll_was_good is not None
        return polled or self.standing_by is not None

    async def _show(self) -> None:
        """Show the status, whenever it has changed; reading it may take longer than the watchdog waits."""
        shown, known, read_at = "", "", float("-inf")
        while True:
            health = str(self.reporter.health()) if self.reporter else ""
            facts = f"{health} {self.standing_by} {self.is_rejected()}"
            if facts != known or self._clock.monotonic() - read_at >= STATUS_EVERY:
                known, read_at = facts, self._clock.monotonic()
                line = await self._line()
                if line != shown and self._systemd.status(line):
                    shown = line
            await self._clock.wait(asyncio.Event(), TURN)

    async def _line(self) -> str:
        if self.reporter is None:
            text = f"stands by: {self.standing_by} has the ledger" if self.standing_by else "starting"
        else:
            text = status_line(await self.reporter.status())
        return f"{_REJECTED}; {text}" if self.is_rejected() else text


def status_line(status: Status) -> str:
    """Return one line of status: what is at fault since when, and the deliveries by state."""
    faults = [f"{one.name} ({one.kind}) since {one.since:%Y-%m-%d %H:%M} UTC" for one in status.conditions]
    well = f"fault: {', '.join(faults)}" if faults else "all well"
    well = f"mail goes through the fallback {status.stand_in}; {well}" if status.stand_in else well
    if status.queue is None:
        return well
    counts = [f"{count} {state}" for state, count in status.queue.states.items() if count]
    return f"{well}; {', '.join(counts) or 'nothing in the ledger'}"
