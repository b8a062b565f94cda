"""Two faults that a real server's lists can have, off unless the rules ask for them.

Pages are cut from a sequence that changes between one request and the next, so that they overlap and miss entries:
17,591 rows of one sweep held 15,871 distinct ids. And a list from a replica shows the queue as it was some seconds
ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from server_stub import timestamps

SPREAD = 37  # coprime to 100: a hundred requests pass before the turns repeat


class ListingFaults(Protocol):
    """What a list is asked to get wrong; read anew at each request."""

    @property
    def overlapping_pages(self) -> bool:
        """Whether pages overlap and miss."""

    @property
    def lagging_seconds(self) -> float:
        """How old what lists show is."""


@dataclass(frozen=True)
class Faultless:
    """No faults."""

    overlapping_pages: bool = False
    lagging_seconds: float = 0.0


def turn(count: int, request: int) -> int:
    """Return by how many entries the order is turned: up to half a page of `count`, another one at each request."""
    return request * SPREAD % 100 * count // 200


def as_of(faults: ListingFaults, now: int) -> int | None:
    """Return the time whose queue lists show, in nanoseconds as `now`; None for now itself."""
    return now - int(faults.lagging_seconds * timestamps.NANOS) if faults.lagging_seconds > 0 else None
