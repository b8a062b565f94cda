"""A queue is drained: by the sender, by the bare loop, and by Postfix's smtp-source where that is installed.

The sender is the installed program with real configuration files, its ledger on disk, login, text and HTML. It starts
beside an empty queue, sends one mail so that all is loaded, and then the queue fills at once.

1. Time runs from the end of the first list that holds mails until the last one is accepted and marked.
2. CPU time is that of the whole process, from before the queue fills.
3. Of a queue that is longer than `mails`, so many are sent after the first tenth of them: their cost is what each costs
   beside such a queue. Of what came before, which is mostly the list, they bear their share of the whole queue.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.bench.bare import SENDER, ready_mail
from tests.bench.doubles import Behaviour, Doubles
from tests.bench.sender import MAIL_SENDER, RunningSender

SMTP_SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
WARM = 1
"""Mails that a sender has sent before it is measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is drained: so many mails, of a queue of so many if that is longer, on so many connections."""

    mails: int = 1000
    connections: int = 4
    queued: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)


@dataclass(frozen=True, slots=True)
class Result:
    """What it took: seconds and CPU seconds for all mails, memory in MB, and how busy each double was (1: one core).

    So is `database_busy`, of a ledger in PostgreSQL.
    """

    mails: int
    seconds: float
    cpu: float
    peak: float
    at_end: float
    relay_busy: float
    server_busy: float
    database_busy: float = 0.0

    @property
    def rate(self) -> float:
        """Mails per second."""
        return self.mails / self.seconds

    @property
    def cpu_per_mail(self) -> float:
        """CPU per mail, in milliseconds."""
        return self.cpu / self.mails * 1000


class Busy:
    """Measures how busy the doubles are, from its making on."""

    def __init__(self, doubles: Doubles) -> None:
        self._doubles = (doubles.relay, doubles.server)
        self._before = [double.cpu() for double in self._doubles]

    def shares(self, seconds: float) -> tuple[float, float]:
        """Return the CPU of the relay and of the server, as shares of so many seconds."""
        relay, server = ((one.cpu() - then) / seconds for one, then in zip(self._doubles, self._before, strict=True))
        return relay, server


def by_sender(doubles: Doubles, load: Load, program: Sequence[str] = MAIL_SENDER) -> Result:
    """Have the sender drain a queue."""
    with RunningSender(doubles, load.connections, program=program) as sender:
        sender.begin_profile()
        lists, before, busy = len(doubles.lists), sender.cpu(), Busy(doubles)
        doubles.server.command(f"queue {load.queued or load.mails}")
        if load.queued > load.mails:
            return Window(doubles, load, sender, before).end()
        doubles.wait_for(WARM + load.mails)
        began = next(one.at for one in doubles.lists[lists:] if one.what != ["0"])
        seconds = max(doubles.accepted[-1].at, doubles.marked[-1].at) - began
        cpu, shares = sender.cpu() - before, busy.shares(seconds)
        return Result(load.mails, seconds, cpu, sender.peak(), sender.resident(), *shares)


class Window:
    """What is sent of a long queue, after the first tenth of the mails; `before` is the CPU when the queue was filled."""

    def __init__(self, doubles: Doubles, load: Load, sender: RunningSender, before: float) -> None:
        doubles.wait_for(WARM + load.mails // 10)
        self._doubles, self._load, self._sender = doubles, load, sender
        self._cpu, self._list, self._busy = sender.cpu(), sender.cpu() - before, Busy(doubles)
        self._first, self._began = len(doubles.marked), time.monotonic()

    def end(self) -> Result:
        """Wait until as many mails are sent as the load says, if they are not yet, and return what they took."""
        self._doubles.wait_for(self._first + self._load.mails)
        mails, seconds = len(self._doubles.marked) - self._first, time.monotonic() - self._began
        cpu = self._sender.cpu() - self._cpu + self._list * mails / self._load.queued
        return Result(mails, seconds, cpu, self._sender.peak(), self._sender.resident(), *self._busy.shares(seconds))


def by_bare_loop(doubles: Doubles, load: Load) -> Result:
    """Have the bare loop drain a queue."""
    doubles.server.command(f"queue {load.mails}")
    command = [sys.executable, "-m", "tests.bench.bare", "--ca", str(doubles.ca), "--mails", str(load.mails)]
    command += ["--relay", str(doubles.relay.port), "--server", str(doubles.server.port)]
    command += ["--connections", str(load.connections)]
    busy = Busy(doubles)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(doubles.accepted) == len(doubles.marked) == load.mails
    return Result(
        load.mails, found["seconds"], found["cpu"], found["peak"], found["peak"], *busy.shares(found["seconds"])
    )


def by_smtp_source(doubles: Doubles, load: Load) -> Result:
    """Have smtp-source hand the mails over in plain text: it has no TLS, no login, no pipelining and no marks."""
    assert SMTP_SOURCE is not None
    mail = doubles.folder / "mail"
    mail.write_bytes(ready_mail().replace(b"\r\n", b"\n"))
    command = [SMTP_SOURCE, "-d", "-N", "-s", str(load.connections), "-m", str(load.mails), "-F", str(mail)]
    command += ["-f", SENDER, "-t", "ellie@example.com", f"127.0.0.1:{doubles.relay.port}"]
    busy, before, began = Busy(doubles), _children(), time.monotonic()
    subprocess.run(command, check=True)
    seconds, used = time.monotonic() - began, _children()
    assert len(doubles.accepted) == load.mails
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return Result(load.mails, seconds, cpu, 0.0, 0.0, *busy.shares(seconds))


def in_plain_text(load: Load) -> Load:
    """Return a load whose relay has no TLS."""
    return replace(load, behaviour=replace(load.behaviour, has_tls=False))


def _children() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_CHILDREN)
