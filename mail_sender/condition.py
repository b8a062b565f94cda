"""A condition that comes and goes, such as a relay that is down.

It is logged once when it begins, once when it changes and once when it ends, however often it occurs in between. A
condition that occurs only sometimes (a full disk: reads succeed, writes fail) ends when it did not occur for a while.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

_log = structlog.get_logger()

_CODE = r"[245](?:\d\d|\.\d{1,3}\.\d{1,3})(?=[\s;:,]|$)"
_VARIES = re.compile(rf"(?<!\S)(?!{_CODE})\S*[@\d*]\S*")


def pattern(text: str) -> str:
    """Return a text without the words that differ from one mail to the next: addresses, numbers, but no codes."""
    return " ".join(_VARIES.sub("#", text).casefold().split())


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a party: since when, which kind, the detail, and what to do about it."""

    name: str
    kind: str
    since: datetime
    detail: str
    advice: str


class Condition:
    """The state of one party: fine, or with a fault since some time.

    Its events are called after `name`: `relay_down`, `relay_up`. A fault ends when it was not met for `quiet`.
    `place` names the party in its events and faults, where there are several of that name. `fault` is None while
    there is none.
    """

    def __init__(self, name: str, quiet: timedelta = timedelta(0), place: str | None = None) -> None:
        self.fault: Fault | None = None
        self._name = name
        self._quiet = quiet
        self._place = place
        self._last: datetime | None = None
        self._to_log = True
        self._is_old = False

    def down(self, kind: str, detail: str, advice: str, now: datetime) -> None:
        """Note a fault; it is logged unless it is the same as before."""
        self._last = now
        before, detail = self.fault, f"{self._place}: {detail}" if self._place else detail
        if before and before.kind == kind and pattern(before.detail) == pattern(detail) and not self._to_log:
            return
        self.fault = Fault(self._name, kind, before.since if before else now, detail, advice)
        self._to_log = False
        if not self._is_old:
            _log.error(f"{self._name}_down", kind=kind, message=f"{detail}; {advice}")

    def up(self, now: datetime) -> None:
        """Note that the party works; that is logged if it did not before."""
        if self.fault is None or (self._last and now - self._last < self._quiet):
            return
        seconds = round((now - self.fault.since).total_seconds())
        self.fault = None
        if not self._is_old:
            named = {"place": self._place} if self._place else {}
            _log.info(f"{self._name}_up", **named, down_seconds=seconds)

    def succeeded(self) -> "Condition":
        """Return the condition that goes on after a changed configuration: a fault that stays is logged anew.

        What this one meets from now on belongs to the old configuration, and is not logged any more.
        """
        self._is_old = True
        next_one = Condition(self._name, self._quiet, self._place)
        next_one._last, next_one.fault = self._last, self.fault
        return next_one


_QUIET = timedelta(seconds=12)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The parties that the sender depends on: the identity server, the relay, its own ledger.

    `alerts` is beside them: whether those are reached who should hear of the others. No mail depends on it.
    """

    server: Condition = field(default_factory=lambda: Condition("server"))
    relay: Condition = field(default_factory=lambda: Condition("relay"))
    ledger: Condition = field(default_factory=lambda: Condition("ledger", _QUIET))
    alerts: Condition = field(default_factory=lambda: Condition("alerts"))

    @property
    def faults(self) -> list[Fault]:
        """The faults that there are now."""
        return [one.fault for one in (self.server, self.relay, self.ledger, self.alerts) if one.fault]

    def succeeded(self) -> "Conditions":
        """Return the conditions that go on after a changed configuration (`Condition.succeeded`)."""
        parties = self.server, self.relay, self.ledger, self.alerts
        return Conditions(*(party.succeeded() for party in parties))
