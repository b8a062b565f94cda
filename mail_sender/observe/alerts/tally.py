"""The tally: how many messages were given up, since when, and when the last one was.

The ledger's own counts would also hold what an operator gave up by hand, and what was given up long ago.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mail_sender.ledger.states import State
from mail_sender.sender.observation import Observation, Recorded

GIVEN_UP = (State.ABANDONED, State.UNKNOWN)
"""What a person should know of: nothing more happens to these deliveries by itself."""
QUIET = timedelta(days=1)
"""A count is over if nothing was added to it for so long."""
_SEEN = timedelta(minutes=1)
"""After this the ledger's own counts surely have it."""


@dataclass(frozen=True, slots=True)
class Count:
    """So many deliveries, the first and the last of them at these times."""

    number: int
    first: datetime
    last: datetime


@dataclass(slots=True)
class Tally:
    """The counts, by state."""

    counts: dict[State, Count] = field(default_factory=dict)

    def observe(self, seen: Observation) -> None:
        """Take in an observation of the flow."""
        if isinstance(seen, Recorded) and seen.state in GIVEN_UP:
            self.counts[seen.state] = _sum(self.counts.get(seen.state), Count(1, seen.at, seen.at))

    def add(self, counts: Mapping[State, Count]) -> None:
        """Take in what was counted before a restart."""
        self.counts |= {state: _sum(self.counts.get(state), count) for state, count in counts.items()}

    def settle(self, states: Mapping[str, int], now: datetime) -> None:
        """Drop the counts that are over: the ledger has no such delivery any more, or none came for a day.

        What the ledger has may have been read before the last one came.
        """
        for state, count in [*self.counts.items()]:
            quiet = now - count.last
            if quiet >= QUIET or (quiet >= _SEEN and not states.get(state)):
                del self.counts[state]


def _sum(one: Count | None, other: Count) -> Count:
    if one is None:
        return other
    return Count(one.number + other.number, min(one.first, other.first), max(one.last, other.last))
