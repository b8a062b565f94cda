"""What a limit holds back now: a record of it, and a log line when holding begins and when it ends.

Holding goes on while mails come as fast as the limit lets them go: it has ended when nothing was held back for a
while. A mail that goes over the limit, because it cannot wait, is logged once in that time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mail_sender.sender import events
from mail_sender.sender.limits import Limit

QUIET = timedelta(minutes=1)
"""Holding has ended when nothing was held back for so long."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """So many deliveries are held back by a limit, since some time; the first of them goes at `until`."""

    limit: Limit
    reason: str
    since: datetime
    deliveries: int
    until: datetime


class Holding:
    """What one limit holds back."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._held: HeldBack | None = None
        self._since: datetime | None = None
        self._last: datetime | None = None
        self._is_over = False

    def held(self, now: datetime) -> HeldBack | None:
        """Return what is held back now."""
        return self._held if self._held and now < self._held.until else None

    def holds(self, reason: str, deliveries: int, until: datetime, now: datetime) -> None:
        """Take in how many deliveries the limit holds back, and until when."""
        if self._since is None:
            self._since = now
            events.held_back(self._limit, reason, deliveries, until)
        self._held, self._last = HeldBack(self._limit, reason, self._since, deliveries, until), now

    def goes_over(self, reason: str, now: datetime) -> None:
        """Take in that a mail goes over the limit: it cannot wait."""
        self._last = now
        if not self._is_over:
            self._is_over = True
            events.over_limit(self._limit, reason)

    def holds_nothing(self, now: datetime) -> None:
        """Take in that nothing is held back now."""
        if self._held is not None:
            self._held, self._last = None, now
        if self._last is None or now - self._last < QUIET:
            return
        if self._since is not None:
            events.released(self._limit, now - self._since)
        self._since, self._last, self._is_over = None, None, False
