"""How long a message waits from the poll that saw it until the relay has accepted its mail.

1. Messages are queued one by one. The server notes when it sends the entry of each for the first time, and when it has
   sent the last octet of that list, or of the list's last page; the relay notes when it accepts the mail. All read the
   same clock. From the entry on, what is left of the list counts, however long the server takes to send it.
2. What is not accepted in time counts as endless: no percentile leaves it out.
"""

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.bench.doubles import Doubles, Event, pause
from tests.bench.drain import WARM, Load, Result, Window
from tests.bench.entries import number_of, recipient
from tests.bench.sender import RunningSender

EVERY = 0.15
"""Seconds between two messages."""
LONGEST_REST = 70.0
"""Seconds after the last message within which a poll has seen it: after a long list, the server is left alone for a while."""
PATIENCE = 20.0
"""Seconds after that poll within which all of them are accepted, or not at all."""


class Wait(NamedTuple):
    """Seconds from when a message's entry was sent, and from when all of its list was, until its mail was accepted."""

    from_entry: float
    from_list: float


def idle(doubles: Doubles, load: Load) -> list[Wait]:
    """Return the seconds that each of so many messages waited, while nothing else was queued."""
    with RunningSender(doubles, load.connections):
        doubles.server.command(f"fresh {load.mails} {EVERY}")
        return _waited(doubles, WARM, load.mails)


def beside_backlog(doubles: Doubles, load: Load, fresh: int) -> tuple[Result, list[Wait]]:
    """Return what it costs to drain the first `mails` of a backlog, or more, and how long fresh messages waited."""
    with RunningSender(doubles, load.connections) as sender:
        before = sender.cpu()
        doubles.server.command(f"queue {load.queued}")
        window = Window(doubles, load, sender, before)
        doubles.server.command(f"fresh {fresh} {EVERY}")
        waited = _waited(doubles, WARM + load.queued, fresh)
        return window.end(), waited


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by this share of all values (nearest rank); 0.5 is the median."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def waits(listed: Sequence[Event], lists: Sequence[Event], accepted: Sequence[Event], count: int) -> list[Wait]:
    """Return how long each of `count` messages waited; those that were not accepted waited for ever."""
    ends = [one.at for one in lists]
    arrived = {one.what[0]: one.at for one in accepted}
    found = []
    for one in listed:
        end = bisect_left(ends, one.at)
        at = arrived.get(recipient(number_of(one.what[0])))
        if at is None or end == len(ends):
            found.append(Wait(math.inf, math.inf))
        else:
            found.append(Wait(at - one.at, max(0.0, at - ends[end])))
    return [*found, *[Wait(math.inf, math.inf)] * (count - len(found))]


def _waited(doubles: Doubles, first: int, count: int) -> list[Wait]:
    _wait_until(lambda: len(doubles.listed) == count, count * EVERY + LONGEST_REST)
    ours = {recipient(number) for number in range(first, first + count)}
    seen = 0

    def all_accepted() -> bool:
        nonlocal seen
        accepted = doubles.accepted
        ours.difference_update(one.what[0] for one in accepted[seen:])
        seen = len(accepted)
        return not ours

    _wait_until(all_accepted, PATIENCE)
    return waits(doubles.listed, doubles.lists, doubles.accepted, count)


def _wait_until(is_true: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not is_true() and time.monotonic() < ends:
        pause()
