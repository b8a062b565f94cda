"""Start-up: what importing the whole sender costs, beside the libraries that it cannot do without.

Each line of Python runs in a process of its own, in turn with the one it is compared with, so that a machine that is
busy at times is busy for both. CPU time and peak memory are what the kernel counted for that process (getrusage(2)).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

LIBRARIES = "import httpx, jinja2, pydantic, aiosmtplib"
SENDER = "import mail_sender.cli.app, mail_sender.config.load, mail_sender.lifecycle, mail_sender.wiring"
HELP = "import sys; sys.argv = ['mail-sender', '--help']; from mail_sender.cli import app; app.main()"
QUEUE = "import sys; sys.argv = ['mail-sender', 'queue', '--help']; from mail_sender.cli import app; app.main()"

# The child reports about itself: it ends before anybody can look.
_REPORT = """
import resource, sys
try:
    exec({line!r})
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
sys.stderr.write("[%f, %d]" % (used.ru_utime + used.ru_stime, used.ru_maxrss))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The medians of one line: CPU in seconds, peak memory in MB."""

    cpu: float
    memory: float


def measured(turns: int) -> Iterator[tuple[str, Cost, Cost]]:
    """Yield for each thing that is started its name, its cost, and what the libraries cost at the same time."""
    for name, line in (("the whole sender", SENDER), ("--help", HELP), ("queue --help", QUEUE)):
        pairs = [(_cost(line), _cost(LIBRARIES)) for _ in range(turns)]
        yield name, _median([ours for ours, _ in pairs]), _median([theirs for _, theirs in pairs])


def _cost(line: str) -> Cost:
    command = [sys.executable, "-c", _REPORT.format(line=line)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cpu, kilobytes = json.loads(done.stderr.rpartition("[")[1] + done.stderr.rpartition("[")[2])
    return Cost(cpu, kilobytes / 1024)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(cost.cpu for cost in costs), median(cost.memory for cost in costs))
