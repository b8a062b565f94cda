"""The limits that an operator sets for the sake of the sender's reputation, and what they say of one mail at a time.

    limit                     counts the mails accepted                   lets the next mail go
    per_minute                in the last 60 s                            when the oldest of them is 60 s old
    per_recipient_per_hour    in the last hour for one recipient          when the oldest of them is an hour old
    warm_up                   this day (UTC): at most `start` on the      when the next day begins
                              first day, each day `factor` times as
                              many, and after `days` days any number

Mails in flight count as accepted. A mail that may have arrived counts, too. What is not accepted does not count.

A mail is held back until the limit lets it go, unless that would be less than `IN_TIME` before its deadline: a reset
that waits longer is no use to anybody. It goes at once then, over the limit, since to wait would gain nothing.

Where senders share a ledger, what counts are the mails of all of them. The limits on all mail are then `Usage.holds`
as well: what the ledger let all of them send together is used up (`sender.share`).

Everything here is a pure function of the limits, what counts against them, and the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from mail_sender.backoff import IN_TIME
from mail_sender.sender.warm_up import WarmUp

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Limit(StrEnum):
    """A limit, by the name of its key."""

    PER_MINUTE = "per_minute"
    PER_RECIPIENT = "per_recipient_per_hour"
    WARM_UP = "warm_up"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; None means that there is none. `relay` names the relay, whose warm-up goes on after a restart."""

    per_minute: int | None = None
    per_recipient_per_hour: int | None = None
    warm_up: WarmUp | None = None
    relay: str = ""

    @property
    def are_set(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.per_minute, self.per_recipient_per_hour, self.warm_up))


@dataclass(frozen=True, slots=True)
class Hold:
    """A limit that is reached: how many mails it allows, and when it lets the next one go."""

    limit: Limit
    most: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What counts against the limits: mails in flight, and those accepted: lately (oldest first) and this day.

    `by_mailbox` has the times of the last hour's mails for each mailbox, oldest first. `first_day` is the warm-up's.
    `holds` are limits that all senders together have reached.
    """

    in_flight: int = 0
    lately: Sequence[datetime] = ()
    by_mailbox: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    today: int = 0
    first_day: date | None = None
    holds: Sequence[Hold] = ()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the limits allow, after what was used of them."""

    limits: Limits = field(default_factory=Limits)
    usage: Usage = field(default_factory=Usage)

    def reached(self, now: datetime, more: int = 0) -> list[Hold]:
        """Return the limits on all mail that are reached, once so many `more` mails have gone."""
        found = self._of_minute(now, more), self._of_day(now, more)
        together = [hold for hold in self.usage.holds if hold.until > now]
        return [*(hold for hold in found if hold is not None), *together]

    def reached_by(self, mailbox: str, now: datetime) -> Hold | None:
        """Return the limit on mail for one mailbox, if it is reached."""
        most, times = self.limits.per_recipient_per_hour, self.usage.by_mailbox.get(mailbox, ())
        until = None if most is None else _free_at(times, most, HOUR, now)
        return None if most is None or until is None else Hold(Limit.PER_RECIPIENT, most, until)

    def day_of_warm_up(self, now: datetime) -> int:
        """Return which day of the warm-up this is; before the first day, it is the first."""
        first = self.usage.first_day
        return 1 if first is None else max(1, (now.astimezone(UTC).date() - first).days + 1)

    def most_today(self, now: datetime) -> int | None:
        """Return how many mails the warm-up lets go this day; None if any number."""
        return self.limits.warm_up.most(self.day_of_warm_up(now)) if self.limits.warm_up else None

    def _of_minute(self, now: datetime, more: int) -> Hold | None:
        most = self.limits.per_minute
        until = None if most is None else _free_at(self.usage.lately, most, MINUTE, now, self.usage.in_flight + more)
        return None if most is None or until is None else Hold(Limit.PER_MINUTE, most, until)

    def _of_day(self, now: datetime, more: int) -> Hold | None:
        most = self.most_today(now)
        if most is None or self.usage.today + self.usage.in_flight + more < most:
            return None
        return Hold(Limit.WARM_UP, most, start_of_day(now) + DAY)


def longest_bearable(holds: Iterable[Hold], deadline: datetime) -> Hold | None:
    """Return which of the limits that are reached holds back longest a mail with that deadline, if any may."""
    bearable = (hold for hold in holds if hold.until + IN_TIME <= deadline)
    return max(bearable, key=lambda hold: hold.until, default=None)


def start_of_day(now: datetime) -> datetime:
    """Return when the day began, in UTC."""
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)


def _free_at(
    times: Sequence[datetime], most: int, window: timedelta, now: datetime, busy: int = 0
) -> datetime | None:
    """Return when fewer than `most` mails will have gone within the window; None if that is so now.

    A time that is still to come was written by a clock that ran ahead: it does not count.
    """
    room = most - busy
    if len(times) < room:  # usually; the rest takes longer
        return None
    counted = [time for time in times if now - window < time <= now]
    if len(counted) < room:
        return None
    return counted[len(counted) - room] + window if room > 0 else now + window
