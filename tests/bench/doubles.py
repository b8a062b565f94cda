"""The relay and the identity server of a benchmark, as processes of their own, and the record of what they saw."""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import usage
from tests.support.certificates import Authority

STALLED = 60.0
"""Seconds after which a benchmark in which nothing happens has failed."""
_PAUSE = threading.Event()  # never set: to wait for a record is to look again


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a record: when (monotonic seconds), and of whom or what."""

    at: float
    what: list[str]


class Record:
    """The events that a double has written, read as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._events: defaultdict[str, list[Event]] = defaultdict(list)

    def of(self, word: str) -> list[Event]:
        """Return the events of one kind so far."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            at, name, *what = line.split()
            self._events[name].append(Event(int(at) / 1e9, what))
        return self._events[word]


class Double:
    """A double that runs."""

    def __init__(self, process: subprocess.Popen[str], record: Path) -> None:
        self._process = process
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        self.port: int = ready["port"]
        self._pids: list[int] = ready["pids"]
        self.record = Record(record)

    def cpu(self) -> float:
        """Return the CPU seconds that it has used."""
        return usage.cpu(self._pids)

    def command(self, command: str) -> None:
        """Give it a command, and wait until it is done if it is `queue`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        if command.startswith("queue"):
            self._process.stdout.readline()


def pause() -> None:
    """Wait a little before looking again."""
    _PAUSE.wait(0.01)


@dataclass(frozen=True, slots=True)
class Doubles:
    """The relay and the identity server, their records and the CA's certificate."""

    folder: Path
    ca: Path
    relay: Double
    server: Double

    @property
    def accepted(self) -> list[Event]:
        """The mails that the relay has accepted: recipient, Message-ID."""
        return self.relay.record.of("accepted")

    @property
    def marked(self) -> list[Event]:
        """The messages that are marked: id."""
        return self.server.record.of("marked")

    @property
    def lists(self) -> list[Event]:
        """The lists that the server has sent, each when all of it was sent: how many messages it had."""
        return self.server.record.of("list")

    @property
    def listed(self) -> list[Event]:
        """The messages that were queued one by one, when they were first listed: id."""
        return self.server.record.of("listed")

    def wait_for(self, mails: int) -> None:
        """Wait until so many mails are accepted, and their messages marked. Raises `TimeoutError` if it stalls."""
        before, since = (-1, -1), time.monotonic()
        while min(now := (len(self.accepted), len(self.marked))) < mails:
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since > STALLED:
                raise TimeoutError(f"of {mails} mails, {now[0]} are accepted, and {now[1]} messages marked")
            pause()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the doubles behave: waits in milliseconds, marks per second (0: any number), extensions not offered."""

    reply_ms: float = 0.0
    mark_ms: float = 0.0
    marks_per_second: float = 0.0
    without: tuple[str, ...] = ()
    has_tls: bool = True


@contextmanager
def running(folder: Path, behaviour: Behaviour) -> Iterator[Doubles]:
    """Run both doubles, with a record of their own in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority.make(folder)
    pem = folder / "server.pem"
    authority.authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    tls = ["--certificate", str(pem)]
    relay = [*(tls if behaviour.has_tls else []), "--reply-ms", str(behaviour.reply_ms)]
    relay += [word for name in behaviour.without for word in ("--without", name)]
    server = [*tls, "--mark-ms", str(behaviour.mark_ms), "--marks-per-second", str(behaviour.marks_per_second)]
    with ExitStack() as stack:
        yield Doubles(
            folder,
            authority.pem,
            _start(stack, "relay", folder / "relay.record", relay),
            _start(stack, "server", folder / "server.record", server),
        )


def _start(stack: ExitStack, name: str, record: Path, arguments: list[str]) -> Double:
    command = [sys.executable, "-m", f"tests.bench.{name}", "--record", str(record), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.callback(_end, process)
    return Double(process, record)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=STALLED)
