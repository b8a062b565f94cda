"""What is fuzzed, and the search for an input that breaks it.

A case is a value of Python literals (bytes, texts, numbers, lists, dictionaries), so that one that fails can be
printed, kept in a file, and tried again. A check returns in a word how the case ended, or raises: any exception that
is no clear end is a finding, and so is a secret in what is shown, or a case that takes long.
"""

import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import process_time
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

CHUNK = 1_000
"""Cases of one search: hypothesis remembers all of them, and a finding ends the search that it is in."""
SECONDS = 5.0
"""Of the processor's time, for one case; most take a thousandth of that."""
PATIENCE = 60.0
"""Seconds for one case, however busy the machine is."""

Case = Any


class Shown(AssertionError):
    """A secret stands where somebody may read it."""


class Slow(AssertionError):
    """A case took too much of the processor's time."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed: `cases` are the inputs, `check` tries one.

    `ends` must all come in a long search. `found` are cases that failed once; they are tried before any other.
    """

    name: str
    cases: st.SearchStrategy[Case]
    check: Callable[[Case], str]
    ends: frozenset[str]
    found: Sequence[Case] = ()


@dataclass
class Finding:
    """A case that failed, as small as the search could make it, and how."""

    case: Case
    error: str
    trace: str

    @classmethod
    def of(cls, case: Case, error: BaseException) -> "Finding":
        """Return the finding that an exception is."""
        return cls(case, kind(error), "".join(traceback.format_exception(error)))


@dataclass
class Tally:
    """How many cases ended how, and what was found, by its kind."""

    ended: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many cases were tried."""
        return self.ended.total()

    def add(self, finding: Finding) -> None:
        """Take in a finding; the same fault in other cases is no other one."""
        self.ended["a finding"] += 1
        self.findings.setdefault(finding.error, finding)


def search(target: Target, count: int, start: int) -> Tally:
    """Try what was found before, and so many cases; `start` decides which."""
    tally = Tally()
    for case in target.found:
        try:
            tally.ended[tried(target, case)] += 1
        except Exception as error:  # noqa: BLE001 - that is what it looks for
            tally.add(Finding.of(case, error))
    for number, size in enumerate(_sizes(count)):
        _search(target, size, f"{target.name} {start} {number}", tally)
    return tally


def _sizes(count: int) -> Iterator[int]:
    while count > 0:
        yield min(count, CHUNK)
        count -= CHUNK


def _search(target: Target, count: int, start: str, tally: Tally) -> None:
    last: list[Case] = [None]

    def end(case: Case, ended: str) -> None:
        last[0] = case
        tally.ended[ended] += bool(ended)

    try:
        seed(start)(as_test(target, end, count))()
    except Exception as error:  # noqa: BLE001 - that is what it looks for
        # What was tried last is the smallest one that fails: hypothesis tries it once more before it raises.
        tally.add(Finding.of(last[0], error.__context__ if isinstance(error, Flaky) and error.__context__ else error))


def as_test(target: Target, end: Callable[[Case, str], None], count: int = CHUNK) -> Callable[[], None]:
    """Return a test of hypothesis's; `end` takes each case before it is tried, with "", and how it ended."""

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(target.cases)
    def one(case: Case) -> None:
        end(case, "")
        end(case, tried(target, case))

    return one


def tried(target: Target, case: Case) -> str:
    """Try one case; return how it ended."""
    with _in_time():
        return target.check(case)


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise `Slow` if what is inside takes too much of the processor's time, or waits for what never comes."""
    began = process_time()
    before = signal.signal(signal.SIGALRM, _hangs)
    outer = signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *outer)  # that of pytest-timeout begins anew
    if (seconds := process_time() - began) > SECONDS:
        raise Slow(f"it took {seconds:.1f} s of the processor's time")


def _hangs(*_: object) -> None:
    raise Slow(f"it has not ended after {PATIENCE:.0f} s")


def kind(error: BaseException) -> str:
    """Name a finding by its exception, and the last line of ours that it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/mail_sender/" in frame.filename]
    if not frames:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return f"{type(error).__name__} at {frames[-1].filename.rpartition('/mail_sender/')[2]}:{frames[-1].lineno}"
