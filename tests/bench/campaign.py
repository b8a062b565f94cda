"""All that `make bench` measures, in turns: in each turn every case comes once, and who drains it takes turns.

So whatever else the machine does meets all of them; the medians of the turns are what counts.
"""

import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.bench import cases, drain, latency, resting
from tests.bench.cases import Case, Figures
from tests.bench.doubles import Behaviour, Doubles, running
from tests.bench.drain import Load, Result
from tests.bench.latency import Wait
from tests.bench.resting import Resting

FOLDER = Path(".cache/bench")
KANIDMS = shutil.which("kanidm-mail-sender")
"""Kanidm's own sender, which takes the same configuration files."""

Drain = Callable[[Doubles, Load], Result]


def sides() -> Mapping[str, Drain]:
    """Return who can drain a queue here, beside the sender."""
    found: dict[str, Drain] = {"bare loop": drain.by_bare_loop}
    if drain.SMTP_SOURCE:
        found["smtp-source"] = drain.by_smtp_source
    if KANIDMS:
        found["kanidm-mail-sender"] = partial(drain.by_sender, program=(KANIDMS,))
    return found


@contextmanager
def fresh_doubles(behaviour: Behaviour) -> Iterator[Doubles]:
    """Run doubles with a folder on a disk: the system's own for temporary files may be in memory."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, running(Path(folder), behaviour) as doubles:
        yield doubles


class Campaign:
    """What was measured so far."""

    def __init__(self, chosen: Sequence[Case]) -> None:
        self.chosen = chosen
        self.idle: list[Wait] = []
        self.beside_backlog: list[Wait] = []
        self.resting: list[Resting] = []
        self._results: defaultdict[tuple[str, str], list[Result]] = defaultdict(list)

    @property
    def figures(self) -> Figures:
        """The medians."""
        return Figures(self._results)

    def turn(self, number: int) -> None:
        """Measure everything once; in odd turns the sender goes last."""
        for case in self.chosen:
            jobs = [("sender", self._sender(case)), *self._beside(case)]
            for who, job in reversed(jobs) if number % 2 else jobs:
                load = drain.in_plain_text(case.load) if who == "smtp-source" else case.load
                with fresh_doubles(load.behaviour) as doubles:
                    result = job(doubles, load)
                self._results[case.name, who].append(result)
                _say(f"{case.name}: {who} {result.rate:.0f} mails/s, {result.cpu_per_mail:.2f} ms CPU per mail")

    def rest(self, messages: int, polls: int) -> None:
        """Measure what is no queue: how long one message waits, and what a sender uses that has nothing to do."""
        with fresh_doubles(Behaviour()) as doubles:
            self.idle += latency.idle(doubles, Load(messages))
        with fresh_doubles(Behaviour()) as doubles:
            self.resting.append(resting.measured(doubles, polls))
        middle = latency.percentile([one.from_entry for one in self.idle], 0.5)
        _say(f"idle: {middle * 1000:.0f} ms, {self.resting[-1].cpu:.2%} of a core")

    def _sender(self, case: Case) -> Drain:
        return self._beside_fresh if case is cases.BACKLOG else drain.by_sender

    def _beside_fresh(self, doubles: Doubles, load: Load) -> Result:
        result, waited = latency.beside_backlog(doubles, load, cases.FRESH)
        self.beside_backlog += waited
        return result

    def _beside(self, case: Case) -> list[tuple[str, Drain]]:
        return [(who, job) for who, job in sides().items() if who in case.beside]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
