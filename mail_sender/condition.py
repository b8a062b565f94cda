"""A condition that comes and goes, such as a relay that is down.

It is said once when it begins, once when it changes, once when it ends, and never in between, however often it
is met. One that shows only now and then (a disk that takes a read and no write) ends when it was quiet for a while.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a party: since when, what kind, and what it is with its cure."""

    name: str
    kind: str
    since: datetime
    detail: str
    advice: str


class Condition:
    """The state of one party: fine, or in some trouble since some time.

    `name` begins its events' names: `relay_down`, `relay_up`; `quiet` is for how long it must not have shown before
    it counts as over.
    """

    def __init__(self, name: str, quiet: timedelta = timedelta(0)) -> None:
        self._name = name
        self._quiet = quiet
        self._last: datetime | None = None
        self._fault: Fault | None = None
        self._to_say = True
        self._is_old = False

    @property
    def is_fine(self) -> bool:
        """Whether there is no trouble."""
        return self._fault is None

    @property
    def fault(self) -> Fault | None:
        """The trouble, if there is any."""
        return self._fault

    def down(self, kind: str, detail: str, advice: str, now: datetime) -> None:
        """Meet trouble; said unless it is the same as before."""
        self._last = now
        before = self._fault
        if before and (before.kind, before.detail) == (kind, detail) and not self._to_say:
            return
        self._fault = Fault(self._name, kind, before.since if before else now, detail, advice)
        self._to_say = False
        if not self._is_old:
            _log.error(f"{self._name}_down", kind=kind, message=f"{detail}; {advice}")

    def up(self, now: datetime) -> None:
        """Find it fine; said where it was not."""
        if self._fault is None or (self._last and now - self._last < self._quiet):
            return
        seconds = round((now - self._fault.since).total_seconds())
        self._fault = None
        if not self._is_old:
            _log.info(f"{self._name}_up", down_seconds=seconds)

    def succeeded(self) -> "Condition":
        """Return the one that goes on from here, after something has changed: what is still wrong is said anew.

        What is met by this one from now on is of the past, and not said any more.
        """
        self._is_old = True
        next_one = Condition(self._name, self._quiet)
        next_one._last, next_one._fault = self._last, self._fault
        return next_one


_QUIET = timedelta(seconds=12)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Everybody whom the sender depends on: the identity server, the relay, its own ledger."""

    server: Condition = field(default_factory=lambda: Condition("server"))
    relay: Condition = field(default_factory=lambda: Condition("relay"))
    ledger: Condition = field(default_factory=lambda: Condition("ledger", _QUIET))

    @property
    def faults(self) -> list[Fault]:
        """What is wrong now."""
        return [one.fault for one in (self.server, self.relay, self.ledger) if one.fault]

    def succeeded(self) -> "Conditions":
        """Return those that go on from here (`Condition.succeeded`)."""
        return Conditions(self.server.succeeded(), self.relay.succeeded(), self.ledger.succeeded())
