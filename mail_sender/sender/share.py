"""The share: the mails that this sender has taken of what the limits let all senders on one ledger send together.

    a mail that was taken    becomes
    not used for a while     given back
    used by a mail           counted, if the relay accepted that, or may have; else given back

What is given back goes to the ledger (`ledger.allowances`) with the next exchange. A mail that cannot wait goes over
the limits without any, and is counted there afterwards. The share outlives a change of the configuration, since mails
in flight do.
"""

from collections import Counter
from dataclasses import dataclass

from mail_sender.ledger.allowances import Change, Taken
from mail_sender.ledger.base import Key

UNUSED = 3.0
"""Seconds after which mails that were taken and not used are given back."""
MOST_TAKEN = 32
"""Mails that are taken at once, at most, and a part of the limit: what a killed sender has taken is lost to all."""
_PART = 20


def wanted(most: int, due: int) -> int:
    """Return how many mails to take for so many that are due, where the smallest limit is `most`."""
    return max(1, min(due, MOST_TAKEN, most // _PART))


@dataclass(slots=True)
class _Lot:
    """Mails that were taken together: when, by the ledger's clock and by ours, and how many are left."""

    at: int
    since: float
    mails: int


class Share:
    """What one sender has taken. All times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._lot: _Lot | None = None
        self._in_flight: dict[Key, int] = {}
        self._back: Counter[int] = Counter()
        self._over = 0

    def has_any(self, now: float) -> bool:
        """Say whether a mail may go."""
        self._expire(now)
        return self._lot is not None

    def take_in(self, taken: Taken, now: float) -> None:
        """Take in what the ledger gave; `now` is when it was asked."""
        self._expire(now, after=0.0)
        if taken.mails:
            self._lot = _Lot(taken.at, now, taken.mails)

    def start(self, key: Key, now: float, *, over: bool) -> None:
        """Take in that a mail goes."""
        self._expire(now)
        if over or self._lot is None:
            self._over += 1
            return
        self._in_flight[key] = self._lot.at
        self._lot.mails -= 1
        if not self._lot.mails:
            self._lot = None

    def went(self, key: Key) -> None:
        """Take in that a mail in flight was accepted, or may have been."""
        self._in_flight.pop(key, None)

    def end(self, key: Key) -> None:
        """Take in that a mail is in flight no more; once more does no harm."""
        if (at := self._in_flight.pop(key, None)) is not None:
            self._back[at] += 1

    def change(self, now: float, *, at_end: bool = False) -> Change | None:
        """Return what the ledger is to know, None if nothing."""
        self._expire(now, after=0.0 if at_end else UNUSED)
        return Change(dict(self._back), self._over) if self._back or self._over else None

    def gives(self, change: Change) -> None:
        """Take in that mails are being given back: once at most, also where a fault hides whether they were."""
        self._back -= Counter(change.back)

    def gave(self, change: Change) -> None:
        """Take in that the ledger knows of a change."""
        self._over -= change.over

    def _expire(self, now: float, after: float = UNUSED) -> None:
        if self._lot is not None and now >= self._lot.since + after:
            self._back[self._lot.at] += self._lot.mails
            self._lot = None
