"""The recent mails, as far as limits count them: kept in memory, and filled from the ledger at the start.

They outlive a change of the configuration. While no limit is set nothing is kept: `fill` begins it. Where senders
share a ledger, `learn` takes in what the others have sent since.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

from mail_sender.ledger.base import Delivery, Key
from mail_sender.names.address import mailbox
from mail_sender.sender.limits import HOUR, MINUTE
from mail_sender.sender.share import Share

_DAYS_KEPT = 2


class RecentMails:
    """The mails of the last hour by mailbox, and how many there were each day (UTC)."""

    def __init__(self) -> None:
        self.is_filled = False
        self._hour: deque[tuple[datetime, str]] = deque()
        self._by_mailbox: dict[str, deque[datetime]] = {}
        self._days: Counter[date] = Counter()
        self._in_flight: set[Key] = set()
        self._unwritten: dict[Key, tuple[str, datetime]] = {}  # they went, and the ledger may not know yet
        self.share = Share()

    @property
    def in_flight(self) -> int:
        """How many mails are in flight that have not gone yet."""
        return len(self._in_flight)

    def start(self, key: Key) -> None:
        """Take in that a delivery is in flight."""
        self._in_flight.add(key)

    def end(self, key: Key) -> None:
        """Take in that a delivery is in flight no more; once more does no harm."""
        self._in_flight.discard(key)
        self._unwritten.pop(key, None)
        self.share.end(key)

    def went(self, delivery: Delivery, at: datetime) -> None:
        """Take in that a mail in flight was accepted, or may have been."""
        self._in_flight.discard(delivery.key)
        self.share.went(delivery.key)
        if self.is_filled:
            self._unwritten[delivery.key] = delivery.recipient, at
            self._add(delivery.recipient, at)

    def fill(self, accepted: Iterable[tuple[str, datetime]], now: datetime) -> None:
        """Begin with what the ledger has: to whom mails went, and when."""
        self.is_filled = True
        for recipient, at in sorted(accepted, key=lambda one: one[1]):
            self._add(recipient, at)
        self._forget(now)

    def learn(self, accepted: Iterable[tuple[str, datetime]], now: datetime) -> None:
        """Have the last hour as the ledger has it now: to whom mails went, by any sender, and when."""
        self._hour.clear()
        self._by_mailbox.clear()
        for recipient, at in sorted([*accepted, *self._unwritten.values()], key=lambda one: one[1]):
            self._keep(recipient, at)
        self._forget(now)

    def lately(self, now: datetime) -> Sequence[datetime]:
        """Return the times of the last minute's mails, oldest first."""
        newest_first = takewhile(lambda at: at > now - MINUTE, (at for at, _ in reversed(self._hour)))
        return list(newest_first)[::-1]

    def by_mailbox(self, now: datetime) -> Mapping[str, Sequence[datetime]]:
        """Return the times of the last hour's mails for each mailbox, oldest first."""
        self._forget(now)
        return self._by_mailbox

    def of_day(self, now: datetime) -> int:
        """Return how many mails went on the day that it is."""
        return self._days[_day(now)]

    def _add(self, recipient: str, at: datetime) -> None:
        self._forget(at)
        self._keep(recipient, at)
        self._days[_day(at)] += 1

    def _keep(self, recipient: str, at: datetime) -> None:
        self._hour.append((at, mailbox(recipient)))
        self._by_mailbox.setdefault(mailbox(recipient), deque()).append(at)

    def _forget(self, now: datetime) -> None:
        while self._hour and self._hour[0][0] <= now - HOUR:
            _, address = self._hour.popleft()
            times = self._by_mailbox[address]
            times.popleft()
            if not times:
                del self._by_mailbox[address]
        for day in [day for day in self._days if day < _day(now) - timedelta(days=_DAYS_KEPT)]:
            del self._days[day]


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
