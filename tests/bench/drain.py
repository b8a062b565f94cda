"""A queue is drained: by the sender, by the bare loop, and by Postfix's smtp-source where that is installed.

The sender is the installed program with real configuration files, its ledger on disk, login, text and HTML. It starts
beside an empty queue, sends one mail so that all is loaded, and then the queue fills at once.

1. Time runs from the end of the first list that holds mails until the last one is accepted and marked.
2. CPU time is that of the whole process, from before the queue fills.
3. Of a queue that is longer than `mails`, only so many are sent after the first tenth of them: their cost is what each
   costs beside such a queue. What the list costs counts for its share of the whole queue.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mail_sender.relay.config import RelayConfig
from tests.bench import usage
from tests.bench.bare import PASSWORD, SENDER, USER, ready_mail
from tests.bench.doubles import Behaviour, Doubles
from tests.support import configs

MAIL_SENDER = Path(sys.executable).with_name("mail-sender")
PROFILED = (sys.executable, "-m", "tests.bench.profiled")
SMTP_SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/bin:/usr/local/sbin")
EVERY_SECOND = "* * * * * *"
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is drained: so many mails, of a queue of so many, on so many connections."""

    mails: int = 1000
    connections: int = 4
    queued: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)


@dataclass(frozen=True, slots=True)
class Result:
    """What it took: seconds and CPU seconds for all mails, memory in MB, and how busy each double was (1: one core)."""

    mails: int
    seconds: float
    cpu: float
    peak: float
    at_end: float
    relay_busy: float
    server_busy: float

    @property
    def rate(self) -> float:
        """Mails per second."""
        return self.mails / self.seconds

    @property
    def cpu_per_mail(self) -> float:
        """CPU per mail, in milliseconds."""
        return self.cpu / self.mails * 1000


class _Busy:
    """Measures how busy the doubles are, from its making on."""

    def __init__(self, doubles: Doubles) -> None:
        self._doubles = (doubles.relay, doubles.server)
        self._before = [double.cpu() for double in self._doubles]

    def shares(self, seconds: float) -> tuple[float, float]:
        """Return the CPU of the relay and of the server, as shares of so many seconds."""
        relay, server = ((one.cpu() - then) / seconds for one, then in zip(self._doubles, self._before, strict=True))
        return relay, server


# The sender


@contextmanager
def sender(doubles: Doubles, load: Load, schedule: str, program: Sequence[str]) -> Iterator[int]:
    """Run a sender that has sent one mail; yield its process id."""
    client = configs.client(doubles.folder, uri=f"https://localhost:{doubles.server.port}", ca_path=doubles.ca)
    relay: dict[str, object] = {"ca_path": doubles.ca}
    if hasattr(RelayConfig, "connections"):
        relay["connections"] = load.connections
    config = configs.sender(
        doubles.folder,
        schedule=schedule,
        mail_from_address=SENDER,
        mail_relay=f"smtps://localhost:{doubles.relay.port}",
        mail_username=USER,
        mail_password=PASSWORD,
        relay=relay,
    )
    doubles.server.command("queue 1")
    with (doubles.folder / "log").open("wb") as log:
        process = subprocess.Popen([*program, "-s", "-c", str(client), "-m", str(config)], stderr=log)
        try:
            doubles.wait_for(1, 1)
            yield process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def by_sender(
    doubles: Doubles, load: Load, schedule: str = EVERY_SECOND, program: Sequence[str] = (str(MAIL_SENDER),)
) -> Result:
    """Have the sender drain a queue."""
    with sender(doubles, load, schedule, program) as pid:
        lists = len(doubles.of_server("list"))
        if program == PROFILED:
            Path(os.environ["BENCH_PROFILE"]).with_suffix(".begins").touch()
        before, busy = usage.cpu([pid]), _Busy(doubles)
        doubles.server.command(f"queue {load.queued or load.mails}")
        if load.queued > load.mails:
            return _window(doubles, load, pid, before)
        doubles.wait_for(1 + load.mails, 1 + load.mails)
        began = next(int(line[0]) for line in doubles.of_server("list")[lists:] if line[2] != "0")
        ended = max(int(doubles.accepted()[-1][0]), int(doubles.of_server("marked")[-1][0]))
        seconds = (ended - began) / 1e9
        cpu = usage.cpu([pid]) - before
        shares = busy.shares(seconds)
        return Result(load.mails, seconds, cpu, usage.peak(pid), usage.resident(pid), *shares)


def _window(doubles: Doubles, load: Load, pid: int, before: float) -> Result:
    skipped = load.mails // 10
    doubles.wait_for(1 + skipped, 1 + skipped)
    polled, busy = usage.cpu([pid]), _Busy(doubles)
    first, began = len(doubles.of_server("marked")), time.monotonic()
    doubles.wait_for(first + load.mails, first + load.mails)
    seconds, cpu = time.monotonic() - began, usage.cpu([pid]) - polled
    mails = len(doubles.of_server("marked")) - first
    cpu += (polled - before) * mails / (load.queued + 0.0)
    return Result(mails, seconds, cpu, usage.peak(pid), usage.resident(pid), *busy.shares(seconds))


# What it is measured by


def by_bare_loop(doubles: Doubles, load: Load) -> Result:
    """Have the bare loop drain a queue."""
    doubles.server.command(f"queue {load.mails}")
    command = [sys.executable, "-m", "tests.bench.bare", "--ca", str(doubles.ca), "--mails", str(load.mails)]
    command += ["--relay", str(doubles.relay.port), "--server", str(doubles.server.port)]
    command += ["--connections", str(load.connections)]
    busy = _Busy(doubles)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    shares = busy.shares(found["seconds"])
    assert len(doubles.accepted()) == len(doubles.of_server("marked")) == load.mails
    return Result(load.mails, found["seconds"], found["cpu"], found["peak"], found["peak"], *shares)


def by_smtp_source(doubles: Doubles, load: Load) -> Result:
    """Have smtp-source hand the mails over, in plain text: it has no TLS, no login and no marks."""
    assert SMTP_SOURCE is not None
    mail = doubles.folder / "mail"
    mail.write_bytes(ready_mail().replace(b"\r\n", b"\n"))
    command = [SMTP_SOURCE, "-d", "-N", "-s", str(load.connections), "-m", str(load.mails), "-F", str(mail)]
    command += ["-f", SENDER, "-t", "ellie@example.com", f"127.0.0.1:{doubles.relay.port}"]
    busy, before, began = _Busy(doubles), _children(), time.monotonic()
    subprocess.run(command, check=True)
    seconds, cpu = time.monotonic() - began, _children() - before
    assert len(doubles.accepted()) == load.mails
    return Result(load.mails, seconds, cpu, 0.0, 0.0, *busy.shares(seconds))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
