"""A family of faults, and its cases."""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.faults.rig import Rig

Play = Callable[[Rig], Awaitable[None]]
PATIENT = 10.0
"""Seconds of every network deadline, where no stall is played: a busy machine must not look like one."""


@dataclass(frozen=True)
class Case:
    """One fault: a name that says which, and what plays it.

    `seconds` are the deliver stage's deadlines meanwhile; `exactly_once` says that nothing here excuses a copy; what is
    `always` run is a part of each slice.
    """

    name: str
    play: Play
    seconds: float = PATIENT
    exactly_once: bool = False
    always: bool = False


@dataclass(frozen=True)
class Family:
    """A kind of fault: its key in the fault plan, its title, and its cases for a seed.

    `slice_size` is how many of them `make test` runs, `together` how many run side by side. `elsewhere` says why there
    are none on another ledger than `ledger`, where it is about that one alone.
    """

    key: str
    title: str
    cases: Callable[[int], Sequence[Case]]
    slice_size: int = 20
    together: int = 8
    ledger: str = ""
    elsewhere: str = ""

    def is_for(self, ledger: str) -> bool:
        """Say whether it has something to show of a ledger."""
        return self.ledger in {"", ledger}

    def slice(self, seed: int) -> Sequence[Case]:
        """Return a few cases from all over the family, the same for the same seed, besides those that always run."""
        cases = self.cases(seed)
        always = [case for case in cases if case.always]
        others = [case for case in cases if not case.always]
        step = max(1.0, len(others) / max(1, self.slice_size - len(always)))
        start = Random(seed).random() * step
        chosen = itertools.takewhile(lambda place: place < len(others), itertools.count(start, step))
        return [*always, *(others[int(place)] for place in chosen)]
