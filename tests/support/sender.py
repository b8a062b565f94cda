"""The installed console script, as a process: run to its end, or watched while it runs."""

import gc
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Self
from unittest.mock import patch

import structlog

from mail_sender.cli import app

MAIL_SENDER = Path(sys.executable).with_name("mail-sender")
DEADLINE = 30.0  # seconds; a test that meets it has failed


def run(*args: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program to its end; `-s` is added, since tests may run as root."""
    return subprocess.run(
        [MAIL_SENDER, "-s", *args],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        timeout=DEADLINE,
        check=False,
    )


def run_here(*args: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program's command line to its end in this process, at a tenth of the cost; nobody is at the terminal.

    It is for what ends without a sender: one that runs has signals, too.
    """
    out, err = io.StringIO(newline=None), io.StringIO(newline=None)
    argv = [str(MAIL_SENDER), *map(str, args)]
    code: object = 0
    of_log, of_garbage = structlog.get_config(), gc.get_threshold()
    with (
        Path(os.devnull).open() as nobody,
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "stdin", nobody),
        patch.object(sys, "argv", argv),
        patch.dict(os.environ, env or {}),
    ):
        try:
            app.main()
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            structlog.configure(**of_log)
            gc.set_threshold(*of_garbage)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


class Sender:
    """A running sender; its log is read as it comes. `program` may be another way to start it."""

    def __init__(
        self,
        client_config: Path,
        sender_config: Path,
        *flags: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = (str(MAIL_SENDER),),
    ):
        self._command = [*program, "-s", "-c", str(client_config), "-m", str(sender_config), *flags]
        self._env = {**os.environ, **(env or {})}
        self._changed = threading.Condition()
        self.lines: list[str] = []
        self._of_event: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True, env=self._env)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    @property
    def log(self) -> str:
        """All that was logged so far."""
        return "\n".join(self.lines)

    def events(self, name: str) -> list[str]:
        """Return the lines of one event."""
        return list(self._of_event.get(name, ()))

    def wait_for(self, name: str, count: int = 1, seconds: float = DEADLINE) -> list[str]:
        """Wait until an event has been logged so many times, and return its lines."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._of_event.get(name, ())) >= count or self._ended(), seconds)
        assert len(self.events(name)) >= count, f"{count} x {name} expected; the log:\n{self.log}"
        return self.events(name)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, seconds: float = DEADLINE) -> int:
        """End it by SIGTERM and return its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def _ended(self) -> bool:
        return self.process.poll() is not None and not self._reader.is_alive()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._keep(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _keep(self, line: str) -> None:
        self.lines.append(line)
        for word in set(line.split(maxsplit=3)[1:3]):  # time, level where the line has one, event
            self._of_event.setdefault(word, []).append(line)
