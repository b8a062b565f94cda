"""Start-up: what importing the whole sender costs, beside the libraries that it cannot do without.

1. A real sender runs beside the stub until it has sent a mail. At its end it is asked for the modules that it has
   imported: these are the whole sender, also what was imported late.
2. Each line of Python runs in a process of its own, in turn with the libraries, so that a machine that is busy at times
   is busy for both. CPU time and peak memory are what the kernel counted (getrusage(2), VmHWM of proc_pid_status(5)).
3. Bytecode is compiled before: an installed sender has it.
4. A sender's configuration is read by another process (`config.child`), which is not in these figures: that is in the
   CPU time that a sender takes until its first mail (`sender`).
"""

import compileall
import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import mail_sender
from tests.support.sender import Sender
from tests.support.stub import Stub

LIBRARIES = "import httpx, jinja2, pydantic, aiosmtplib"
HELP = "import sys; sys.argv = ['mail-sender', '--help']; from mail_sender.__main__ import main; main()"
QUEUE = "import sys; sys.argv = ['mail-sender', 'queue', '--help']; from mail_sender.__main__ import main; main()"

# The child reports about itself: it ends before anybody can look.
_REPORT = """
import resource, sys
try:
    exec({line!r})
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
sys.stderr.write("[%f, %s]" % (used.ru_utime + used.ru_stime, peak))
"""
_OBSERVED = """
import atexit, json, os, sys
from mail_sender.__main__ import main
def report():
    with open(os.environ["IMPORTED"], "w") as file:
        json.dump([name for name, module in sys.modules.items() if module and name != "__main__"], file)
atexit.register(report)
main()
"""
# What `mail-sender` does before it imports anything, and then each module that a run has imported, in sequence.
_WHOLE_SENDER = """
import mail_sender.__main__
mail_sender.__main__.trim_imports()
import importlib
for name in {names!r}:
    importlib.import_module(name)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The medians of one line: CPU in seconds, peak memory in MB."""

    cpu: float
    memory: float


def compile_bytecode() -> None:
    """Compile our modules and those of the libraries, where that has not been done."""
    for folder in (Path(mail_sender.__file__).parent, Path(sysconfig.get_paths()["purelib"])):
        compileall.compile_dir(folder, quiet=2)


def modules() -> list[str]:
    """Run a sender beside a stub until it has sent a mail, and return what it has imported, in sequence."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Stub(folder / "stub") as stub:
            stub.send_test("ellie")
            report = folder / "imported.json"
            program = (sys.executable, "-c", _OBSERVED)
            with Sender(
                stub.client_config, stub.sender_config, env={"IMPORTED": str(report)}, program=program
            ) as sender:
                sender.wait_for("sent")
                sender.stop()
            imported: list[str] = json.loads(report.read_text())
            return imported


def measured(turns: int, names: list[str]) -> Iterator[tuple[str, Cost, Cost]]:
    """Yield for each thing that is started its name, its cost, and what the libraries cost at the same time."""
    whole = _WHOLE_SENDER.format(names=names)
    for name, line in (("the whole sender", whole), ("--help", HELP), ("queue --help", QUEUE)):
        pairs = [(_cost(line), _cost(LIBRARIES)) for _ in range(turns)]
        yield name, _median([ours for ours, _ in pairs]), _median([theirs for _, theirs in pairs])


def _cost(line: str) -> Cost:
    command = [sys.executable, "-c", _REPORT.format(line=line)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cpu, kilobytes = json.loads(done.stderr.rpartition("[")[1] + done.stderr.rpartition("[")[2])
    return Cost(cpu, kilobytes / 1024)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(cost.cpu for cost in costs), median(cost.memory for cost in costs))
