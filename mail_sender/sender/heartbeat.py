"""The heartbeats of the loops: before each step, a loop says within how many seconds the step will have ended.

A loop that is later than it said hangs. Idle loops are in time, since they say how long they will wait.
"""

from dataclasses import dataclass, field

from mail_sender.clock import Clock

TOLERANCE = 15.0
"""Seconds that a loop may be late: the machine may be busy, and the process may have been stopped for a moment."""


@dataclass(frozen=True, slots=True)
class Late:
    """A loop that hangs: it should have turned so many seconds ago."""

    loop: str
    seconds: float


class Heartbeat:
    """The heartbeat of one loop."""

    def __init__(self, loop: str, clock: Clock) -> None:
        self.loop = loop
        self._clock = clock
        self._until = float("inf")

    def within(self, seconds: float) -> None:
        """Take in that the loop turns, and that it will have turned again within so many seconds."""
        self._until = self._clock.monotonic() + seconds

    def ended(self) -> None:
        """Take in that the loop has ended, as it should: it turns no more."""
        self._until = float("inf")

    @property
    def late_by(self) -> float:
        """The seconds since the loop should have turned; negative while it is in time."""
        return self._clock.monotonic() - self._until


@dataclass(slots=True)
class Heartbeats:
    """The heartbeats of all loops."""

    _loops: list[Heartbeat] = field(default_factory=list)

    def of(self, loop: str, clock: Clock) -> Heartbeat:
        """Return the heartbeat of a loop that begins."""
        self._loops.append(Heartbeat(loop, clock))
        return self._loops[-1]

    def late(self) -> list[Late]:
        """Return the loops that hang."""
        return [Late(one.loop, one.late_by) for one in self._loops if one.late_by > TOLERANCE]
