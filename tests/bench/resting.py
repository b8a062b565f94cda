"""A sender with nothing to do, on the schedule that Kanidm's own has by default: a poll every five seconds."""

from dataclasses import dataclass

from tests.bench.doubles import Doubles
from tests.bench.sender import RunningSender

SCHEDULE = "*/5 * * * * *"
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Resting:
    """Its CPU as a share of one core, its memory in MB, and how long it took to start and how much CPU, in seconds."""

    cpu: float
    resident: float
    started_after: float
    started_cpu: float


def measured(doubles: Doubles, polls: int) -> Resting:
    """Return what a sender uses, from one poll to the last of so many after it."""
    with RunningSender(doubles, 4, schedule=SCHEDULE) as sender:
        sender.wait_for_lists(1)
        before = sender.cpu_of_threads()
        sender.wait_for_lists(polls)
        return Resting(
            (sender.cpu_of_threads() - before) / (polls * SECONDS),
            sender.resident(),
            sender.started_after,
            sender.started_cpu,
        )
