"""The cases of a family, shared out to several processes: a case computes about as long as it waits.

The processes are forked, so that all of them have the same cases. Each takes one share after the other, some dozens of
cases, plays it with a ground of its own, and hands its tally back. Cases that wait for deadlines and cases that do not
follow each other, so that one process computes while another one waits.
"""

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.faults.campaign import run
from tests.faults.family import Case, Family
from tests.faults.tally import Breach, Tally

_LARGEST = 100
_EACH = 6
"""How many shares each process has at least to do, so that none is idle for long at the end."""
_PlayShare = Callable[[int], Tally]
_of_this_process: list[_PlayShare] = []


def run_shared(
    family: Family, cases: Sequence[Case], seed: int, report: Callable[[Breach], None], jobs: int
) -> Tally:
    """Run cases of a family in so many processes, and report their breaches when their share has ended."""
    began, tally = time.monotonic(), Tally(family.key, seed)
    shares = list(shares_of(cases, jobs))

    def play(number: int) -> Tally:
        return asyncio.run(run(family, shares[number], seed, lambda _: None))

    forking = multiprocessing.get_context("fork")  # what it forks inherits the cases, which cannot be pickled
    with ProcessPoolExecutor(jobs, forking, initializer=_of_this_process.append, initargs=(play,)) as processes:
        for done in as_completed([processes.submit(_play, number) for number in range(len(shares))]):
            share = done.result()
            tally.add(share)
            for breach in share.breaches:
                report(breach)
    tally.seconds = time.monotonic() - began
    return tally


def _play(number: int) -> Tally:
    return _of_this_process[0](number)


def shares_of(cases: Sequence[Case], jobs: int) -> Iterator[Sequence[Case]]:
    """Yield shares of cases with one deadline each, those of the different deadlines by turns."""
    size = max(1, min(_LARGEST, len(cases) // (jobs * _EACH)))
    ordered = sorted(cases, key=lambda case: case.seconds)
    groups = [list(group) for _, group in itertools.groupby(ordered, key=lambda case: case.seconds)]
    by_deadline = [[group[at : at + size] for at in range(0, len(group), size)] for group in groups]
    for turn in itertools.zip_longest(*by_deadline):
        yield from filter(None, turn)
