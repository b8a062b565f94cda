"""The relay and the identity server of a benchmark, as processes of their own, and the record of what they saw."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import usage
from tests.support.certificates import Authority

STALLED = 60.0
"""Seconds after which a benchmark in which nothing happens has failed."""
_PAUSE = threading.Event()  # never set: to wait for a record is to look again


class Record:
    """The lines that a double has written, read as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._lines: list[list[str]] = []

    def lines(self) -> list[list[str]]:
        """Return the words of all lines so far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read += len(whole)
            self._lines += [line.split() for line in whole.decode().splitlines()]
        return self._lines


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


@dataclass(frozen=True, slots=True)
class Doubles:
    """The relay, one that speaks plain text, and the identity server."""

    folder: Path
    ca: Path
    relay: Double
    server: Double

    def accepted(self) -> list[list[str]]:
        """Return a line for each mail that the relay has accepted: nanoseconds, recipient, Message-ID."""
        return self.relay.record.lines()

    def of_server(self, word: str) -> list[list[str]]:
        """Return the lines of one kind that the server has written: nanoseconds, word, message."""
        return [line for line in self.server.record.lines() if line[1] == word]

    def wait_for(self, accepted: int, marked: int) -> None:
        """Wait until so many mails are accepted and so many messages marked. Raises `TimeoutError` if it stalls."""
        before, since = (-1, -1), time.monotonic()
        while (now := (len(self.accepted()), len(self.of_server("marked")))) < (accepted, marked) or now[1] < marked:
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since > STALLED:
                raise TimeoutError(f"{now[0]} accepted and {now[1]} marked, of {accepted} and {marked}")
            _PAUSE.wait(0.01)


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
