"""Allowances: how many mails the senders that share a ledger may send together, taken by each a few at a time.

1. A quota is a number of mails within a span of time. What was taken counts from then on, whichever sender took it.
2. A sender takes some mails before it sends them, of all quotas at once, and no more than each of them has left. So
   no quota is passed, however many senders there are, and whether they come or go.
3. It gives back what it did not use, or what the relay did not accept. What it had to send `over` the quotas counts
   as well. What a sender that was killed had taken counts as sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many mails in so many `seconds`, which begin with each second, or else with each whole span.

    A day `is_whole`: it begins at midnight (UTC). `known` are the mails of this span that are known from before
    anything was taken in it.
    """

    name: str
    most: int
    seconds: int
    is_whole: bool = False
    known: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What became of mails that a sender took: those that it gives `back`, by the time when they were taken.

    `over` are those that it sent without any.
    """

    back: Mapping[int, int] = field(default_factory=dict)
    over: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """So many `mails` that a sender may send now, taken at a time (seconds of the ledger's clock).

    `reached` are the quotas that have none left, each with the seconds until it has some again.
    """

    mails: int
    at: int
    reached: Mapping[str, float] = field(default_factory=dict)


class Allowances(Protocol):
    """What senders may send together, by the ledger's clock."""

    async def take(self, quotas: Sequence[Quota], wanted: int, change: Change) -> Taken:
        """Take at most so many mails as are wanted, after what has changed. Raises `LedgerFault`.

        After a fault, what was wanted may have been taken; it counts as sent then.
        """
