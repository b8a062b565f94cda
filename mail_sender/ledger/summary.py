"""A summary of the ledger at one moment: deliveries by state, what waits longest, and the attempts of the last day.

1. An attempt is a line of history with a verdict of the relay, or one that was interrupted. What an operator did,
   what was withdrawn and what is held are no attempts.
2. A delivery waits since the time at which its message was to be sent; since an operator's `retry` or `resend`, if
   there was one.
3. A domain fails where a delivery to it was refused, deferred or cut off at the dot, and was not accepted afterwards.
   What failed because of the relay or of a template says nothing about the domain.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mail_sender.ledger.states import State

HOUR = timedelta(hours=1)
HOURS = 24
"""Hours before the moment of the summary whose attempts are counted."""
MOST_DOMAINS = 10

ATTEMPTS = ("accepted", "refused", "deferred", "throttled", "relay_down", "uncertain", "interrupted")
"""The verdicts of attempts, in the order in which they are shown."""
QUEUED_AGAIN = ("retried", "resent")
"""What stands in a history where an operator has queued a delivery again."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A recipient domain, with its deliveries of the last day that were given up, and those that are tried again."""

    domain: str
    failed: int
    deferred: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The ledger at a moment.

    `states` names every state; `kinds` are the same deliveries by kind of message and state,
    as far as there are any. `hours` are the attempts by verdict in each of the last 24 hours, the one that ends
    `at` that moment last; verdicts without any are left out. `failing` are the domains with most failures first.
    `held_since` is when the delivery was held that is held longest.
    """

    at: datetime
    states: Mapping[State, int]
    kinds: Mapping[str, Mapping[State, int]]
    unmarked: int
    oldest_waiting_at: datetime | None
    held_since: datetime | None
    last_accepted_at: datetime | None
    hours: tuple[Mapping[str, int], ...]
    failing: tuple[Failing, ...]

    def attempts(self, hours: int) -> dict[str, int]:
        """Return the attempts by verdict of so many hours, at most 24, in the order of `ATTEMPTS`."""
        found: Counter[str] = Counter()
        for hour in self.hours[-hours:]:
            found.update(hour)
        return {verdict: found[verdict] for verdict in ATTEMPTS if found[verdict]}


# What every ledger makes of its answers


def by_kind(found: Iterable[Sequence[Any]]) -> dict[str, dict[State, int]]:
    """Return how many deliveries there are by kind and state, from rows of these three. Raises `ValueError`."""
    kinds: dict[str, dict[State, int]] = {}
    for kind, state, number in found:
        kinds.setdefault(kind, {})[State(state)] = number
    return kinds


def by_state(kinds: Mapping[str, Mapping[State, int]]) -> dict[State, int]:
    """Return how many deliveries there are in every state."""
    return {state: sum(states.get(state, 0) for states in kinds.values()) for state in State}


def by_hour(found: Iterable[Sequence[Any]]) -> tuple[Mapping[str, int], ...]:
    """Return the attempts of each hour by verdict, from rows of how many hours ago, the verdict, the number."""
    hours: list[dict[str, int]] = [{} for _ in range(HOURS)]
    for ago, verdict, number in found:
        hours[HOURS - 1 - ago][verdict] = number
    return tuple(hours)


def by_domain(found: Iterable[Sequence[Any]]) -> tuple[Failing, ...]:
    """Return the domains that fail, from rows of the domain, what was given up of it, and all of it."""
    return tuple(Failing(domain, failed, every - failed) for domain, failed, every in found)
