"""What `make bench` drains, and what is to be reached (the table of docs/performance.md)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from tests.bench.doubles import Behaviour
from tests.bench.drain import Load, Result

MARKS_PER_SECOND = 235.0
"""What a real kanidmd did here was 216 to 255; this is its middle."""
TURNS_OF_REPLIES = 2
"""With pipelining, a mail waits for the relay twice: after MAIL, RCPT and DATA together, and after the dot."""
FRESH = 40

_SLOW = Behaviour(reply_ms=20)
_SLOWER = Behaviour(reply_ms=100)
_LIKE_KANIDMD = Behaviour(marks_per_second=MARKS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a load, and who drains it beside the sender."""

    name: str
    load: Load
    beside: tuple[str, ...] = ("bare loop", "smtp-source", "kanidm-mail-sender")
    is_quick: bool = False

    def quick(self) -> "Case":
        """Return the same with fewer mails."""
        return replace(self, load=replace(self.load, mails=max(60, self.load.mails // 4)))


HEAD = Case("0 ms per reply, 4 connections", Load(1000), is_quick=True)
LATENCY = Case("20 ms per reply, 16 connections", Load(1000, 16, behaviour=_SLOW), is_quick=True)
KANIDMD = Case(
    f"0 ms per reply, {MARKS_PER_SECOND:.0f} marks/s",
    Load(1000, behaviour=_LIKE_KANIDMD),
    ("bare loop",),
    is_quick=True,
)
SHORT = Case("100 queued", Load(100), ())
BACKLOG = Case("20,000 queued", Load(2000, queued=20_000), ())
LONG = Case("100,000 queued", Load(2000, queued=100_000), ())
CASES = (
    HEAD,
    Case("0 ms per reply, 1 connection", Load(1000, 1)),
    Case("0 ms per reply, 16 connections", Load(1000, 16)),
    Case("20 ms per reply, 4 connections", Load(300, 4, behaviour=_SLOW)),
    LATENCY,
    Case("100 ms per reply, 4 connections", Load(80, 4, behaviour=_SLOWER)),
    KANIDMD,
    SHORT,
    BACKLOG,
    LONG,
)


class Figures:
    """What was measured, by case and by who drained."""

    def __init__(self, results: Mapping[tuple[str, str], list[Result]]) -> None:
        self._results = results

    def of(self, case: Case, who: str, figure: str) -> float | None:
        """Return the median of a figure of `Result`, or None if that was not measured."""
        results = self._results.get((case.name, who))
        return median(getattr(one, figure) for one in results) if results else None

    def ratio(self, figure: str, case: Case, who: str = "sender", *, to: tuple[Case, str]) -> float | None:
        """Return how many times the one median is the other."""
        one, other = self.of(case, who, figure), self.of(*to, figure)
        return None if one is None or not other else one / other

    def of_possible(self, case: Case) -> float | None:
        """Return mails/s as a share of what latency and connections allow."""
        rate = self.of(case, "sender", "rate")
        turn = TURNS_OF_REPLIES * case.load.behaviour.reply_ms / 1000
        return None if rate is None else rate * turn / case.load.connections

    def of_marks(self, case: Case) -> float | None:
        """Return mails/s as a share of the marks that the server takes."""
        rate = self.of(case, "sender", "rate")
        return None if rate is None else rate / case.load.behaviour.marks_per_second


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure that is to be reached: at least or at most so much."""

    name: str
    case: Case
    figure: Callable[[Figures], float | None]
    least: float = 0.0
    most: float = float("inf")

    def is_reached(self, found: float) -> bool:
        """Say whether a figure is good enough."""
        return self.least <= found <= self.most

    @property
    def text(self) -> str:
        """What is to be reached, in words."""
        return f"at least {self.least:g}" if self.least else f"at most {self.most:g}"


AIMS = (
    Aim(
        "mails/s against the bare loop",
        HEAD,
        lambda found: found.ratio("rate", HEAD, to=(HEAD, "bare loop")),
        least=0.8,
    ),
    Aim(
        "CPU per mail against the bare loop",
        HEAD,
        lambda found: found.ratio("cpu_per_mail", HEAD, to=(HEAD, "bare loop")),
        most=1.6,
    ),
    Aim(
        "mails/s against what latency and connections allow",
        LATENCY,
        lambda found: found.of_possible(LATENCY),
        least=0.9,
    ),
    Aim("mails/s against the marks that the server takes", KANIDMD, lambda found: found.of_marks(KANIDMD), least=0.9),
    Aim(
        "CPU per mail against 1,000 queued",
        LONG,
        lambda found: found.ratio("cpu_per_mail", LONG, to=(HEAD, "sender")),
        most=1.2,
    ),
    Aim(
        "peak memory against 100 queued",
        LONG,
        lambda found: found.ratio("peak", LONG, to=(SHORT, "sender")),
        most=1.3,
    ),
)
