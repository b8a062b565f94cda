"""What was measured, as Markdown: docs/performance.md holds it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench import building
from tests.bench.cases import Aim, Case, Figures
from tests.bench.drain import Load, Result
from tests.bench.latency import percentile
from tests.bench.replicas import Row
from tests.bench.resting import Resting
from tests.bench.startup import Cost

NOT_RUN = "not run"
_SENDER, _BARE, _SOURCE, _KANIDMS = "sender", "bare loop", "smtp-source", "kanidm-mail-sender"


def aims(found: Figures, wanted: Sequence[Aim]) -> Iterator[str]:
    """Yield the lines of the table of what is to be reached."""
    yield from _head("figure", "at", "reach", "measured", "reached")
    for aim in wanted:
        yield _row(aim.name, aim.case.name, aim.text, *_verdict(aim, aim.figure(found)))


def _verdict(aim: Aim, value: float | None) -> tuple[str, str]:
    return (NOT_RUN, "-") if value is None else (f"{value:.2f}", _yes(is_reached=aim.is_reached(value)))


def drains(found: Figures, cases: Sequence[Case]) -> Iterator[str]:
    """Yield the lines of the table of drained queues: the sender's figures, and those of what it is measured by."""
    yield from _head(
        "queue",
        "mails/s",
        "bare loop",
        "ratio",
        "CPU per mail",
        "bare loop",
        "ratio",
        "smtp-source",
        "kanidm-mail-sender",
        "memory",
        "doubles",
    )
    for case in cases:
        if found.of(case, _SENDER, "rate") is None:
            yield _row(case.name, NOT_RUN, *[""] * 9)
            continue
        yield _row(
            case.name,
            _number(found.of(case, _SENDER, "rate"), "{:.0f}"),
            _number(found.of(case, _BARE, "rate"), "{:.0f}"),
            _number(found.ratio("rate", case, to=(case, _BARE)), "{:.2f}"),
            _number(found.of(case, _SENDER, "cpu_per_mail"), "{:.2f} ms"),
            _number(found.of(case, _BARE, "cpu_per_mail"), "{:.2f} ms"),
            _number(found.ratio("cpu_per_mail", case, to=(case, _BARE)), "{:.2f}"),
            _number(found.of(case, _SOURCE, "rate"), "{:.0f}"),
            _number(found.of(case, _KANIDMS, "rate"), "{:.0f}"),
            _number(found.of(case, _SENDER, "peak"), "{:.0f} MB"),
            _doubles(found, case),
        )


def _doubles(found: Figures, case: Case) -> str:
    """Return how busy the busier of the two doubles was at most, whoever drained but smtp-source."""
    shares = [found.of(case, who, figure) for who in (_SENDER, _BARE) for figure in ("relay_busy", "server_busy")]
    return f"{max(share for share in shares if share is not None):.0%}"


def not_run(missing: Sequence[str]) -> str:
    """Return a sentence about what is not installed here, or nothing."""
    return f"Not installed, so not run: {', '.join(missing)}." if missing else ""


def replicas(found: Mapping[Row, Sequence[Result]]) -> Iterator[str]:
    """Yield the lines of the table of senders that share a ledger: each is compared with the first row of its load."""
    yield from _head(
        "ledger", "senders", "queue", "mails/s", "ratio", "CPU per mail", "database", "doubles", "memory"
    )
    first: dict[Load, float] = {}
    for row, results in found.items():
        rate = median(one.rate for one in results)
        busy = max(max(one.relay_busy, one.server_busy) for one in results)
        yield _row(
            row.name,
            str(max(1, row.replicas)),
            f"{row.load.behaviour.reply_ms:.0f} ms per reply, {row.load.connections} connections each",
            f"{rate:.0f}",
            f"{rate / first.setdefault(row.load, rate):.2f}",
            f"{median(one.cpu_per_mail for one in results):.2f} ms",
            f"{median(one.database_busy for one in results):.0%}" if row.replicas else "-",
            f"{busy:.0%}",
            f"{median(one.peak for one in results):.0f} MB",
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """How long messages waited, in seconds, and what is to be reached, in milliseconds."""

    name: str
    seconds: Sequence[float]
    aim: Mapping[float, float]

    @property
    def is_reached(self) -> bool:
        """Say whether each percentile is good enough."""
        return all(percentile(self.seconds, share) * 1000 <= most for share, most in self.aim.items())


def waits(rows: Sequence[Waits]) -> Iterator[str]:
    """Yield the lines of the table of latencies."""
    yield from _head("to acceptance, from", "messages", "median", "90 %", "99 %", "longest", "reach", "reached")
    for row in rows:
        found = [_milliseconds(percentile(row.seconds, share)) for share in (0.5, 0.9, 0.99, 1.0)]
        aim = ", ".join(f"{share:.0%}: {most:.0f} ms" for share, most in row.aim.items())
        yield _row(row.name, str(len(row.seconds)), *found, aim, _yes(is_reached=row.is_reached))


def resting(found: Sequence[Resting]) -> Iterator[str]:
    """Yield the lines of the table of a sender that has nothing to do."""
    yield from _head("a sender with nothing to do", "measured", "reach", "reached")
    cpu, memory = median(one.cpu for one in found), median(one.resident for one in found)
    yield _row("CPU, of a core", f"{cpu:.2%}", "under 0.3 %", _yes(is_reached=cpu < 0.003))
    yield _row("memory", f"{memory:.0f} MB", "under 50 MB", _yes(is_reached=memory < 50))
    yield _row("from its start to its first list", f"{median(one.started_after for one in found):.2f} s", "-", "-")
    yield _row("CPU, from its start to its first mail", f"{median(one.started_cpu for one in found):.2f} s", "-", "-")


def built(found: Sequence[building.Result], most: float) -> Iterator[str]:
    """Yield the lines of the table of what it takes to build a mail."""
    yield from _head("building a mail", "ours", "EmailMessage", "ratio", "reach", "reached")
    for one in found:
        ours, theirs = (f"{seconds * 1e6:.0f} µs" for seconds in (one.ours, one.theirs))
        reached = _yes(is_reached=one.ratio <= most)
        yield _row(one.language, ours, theirs, f"{one.ratio:.2f}", f"at most {most:g}", reached)


def starting(found: Sequence[tuple[str, Cost, Cost]]) -> Iterator[str]:
    """Yield the lines of the table of what is imported at a start."""
    yield from _head("start of", "CPU", "libraries alone", "ratio", "memory", "libraries alone")
    for name, ours, theirs in found:
        ratio = f"{ours.cpu / theirs.cpu:.2f}"
        yield _row(
            name,
            f"{ours.cpu:.2f} s",
            f"{theirs.cpu:.2f} s",
            ratio,
            f"{ours.memory:.0f} MB",
            f"{theirs.memory:.0f} MB",
        )


def _yes(*, is_reached: bool) -> str:
    return "yes" if is_reached else "**no**"


def _milliseconds(seconds: float) -> str:
    return "not in time" if math.isinf(seconds) else f"{seconds * 1000:.0f} ms"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield _row(*["---"] * len(cells))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
