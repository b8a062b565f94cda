"""Outages of relays, as the senders that share a ledger tell each other of them, and who may try a relay next.

A relay goes by a name that says which relay with which login is meant, and tells neither.

1. A sender that finds a relay down tells the others why, and until when it is left alone. What two tell at the same
   time is put together: the longer wait counts.
2. One sender at a time may try it when that time is over. Its permission ends with what it tells next of the relay,
   or after `TRIED_WITHIN`.
3. A sender through which a mail went says that the relay works: the outage is over for all. Of a relay that worked
   for nobody within `PROVEN_FOR`, nobody knows whether it takes the login: one goes first there, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TRIED_WITHIN = 30.0
"""Seconds for which nobody else may try a relay; who had the permission may be gone, or its mail may hang."""
PROVEN_FOR = 300.0
"""Seconds for which a relay counts as one that works after a mail went through it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Why a relay takes no mail, for how long it is left alone from now on, and how long that wait was at first.

    Times are in seconds. `stage` is the verdict's, `detail` what happened, `advice` what to do.
    """

    wait: float
    retry_in: float
    stage: str
    detail: str
    advice: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a sender tells of a relay, and asks: all of it in one go.

    It is down (`outage`), or it `works`; a permission is given back in either case, or if it `gives_back`. With
    `asks`, the sender wants to try it. `after` is how many seconds after the last failure it may do so although the
    relay is to be left alone for longer; None where it may not.
    """

    relay: str
    outage: Outage | None = None
    works: bool = False
    gives_back: bool = False
    asks: bool = False
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """How a relay stands: its outage, if there is one, and the seconds since it worked last (None: not known).

    `may_try` says that the sender that asked has the permission to try it. `failed_ago` are the seconds since
    somebody tried it last in this outage.
    """

    outage: Outage | None
    worked_ago: float | None
    may_try: bool
    failed_ago: float | None = None


class Outages(Protocol):
    """What the senders know of relays together, by the ledger's clock."""

    async def exchange(self, reports: Sequence[Report]) -> Sequence[Heard]:
        """Take in what is told of each relay, and return how it stands then, in the same order.

        Raises `LedgerFault`; then it may have been taken in or not, and telling it again does no harm.
        """
