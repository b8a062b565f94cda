"""The stub and its command line inside the test's own process: what most tests need, at a tenth of the cost.

`StubInProcess` is the whole of `server-stub serve`, with its sockets, TLS and files, in a thread with an event loop of
its own. Tests of signals, kills and exit codes use `tests.support.stub.Stub`, which is a process.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import Self
from unittest.mock import patch

from server_stub import service
from server_stub.cli import app
from server_stub.folder.directory import Directory
from server_stub.startup.ports import Ports
from tests.support.stub import SERVER_STUB, START_SECONDS, STOP_SECONDS, Stub

FREE = Ports(0, 0, 0, 0)


class StubInProcess(Stub):
    """A stub of a test's own; what it says on stderr is the test's stderr."""

    def __init__(
        self, folder: Path, *, people: Path | None = None, misbehave: Path | None = None, host: str = "127.0.0.1"
    ) -> None:
        super().__init__(folder)
        self._settings = service.Settings(Directory.at(folder), host, FREE, people, misbehave)
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Start the thread and wait until everything answers; what the start fails with is raised here."""
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        assert self._ready.wait(START_SECONDS)
        if self._failure:
            self.stop()
            raise self._failure
        self.tokens: dict[str, str] = json.loads((self.dir / "tokens.json").read_text())
        return self

    def __enter__(self) -> Self:
        return self if self._thread else self.start()

    def stop(self) -> int:
        """Have it end as by a signal."""
        if self._thread is None:
            return 0
        thread, self._thread = self._thread, None
        if not self._failure:
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(STOP_SECONDS)
        assert not thread.is_alive()
        return 0

    def run(self, *args: str) -> CompletedProcess[str]:
        """Run another verb of the command line on this stub."""
        return command(*args, "--dir", str(self.dir))

    def _serve(self) -> None:
        try:
            with service.prepared(self._settings) as (stub, bound):
                asyncio.run(service.serve(stub, bound, self._stops, self._is_ready))
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            self._failure = error
            self._ready.set()

    def _stops(self) -> asyncio.Event:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        return self._stop

    def _is_ready(self, ports: Ports) -> None:
        self.ports = {"api": ports.api, "smtps": ports.smtps, "smtp": ports.smtp, "web": ports.web}
        self._ready.set()


def command(*args: str) -> CompletedProcess[str]:
    """Run `server-stub` with these arguments in this process, as its console script does."""
    out, err = io.StringIO(), io.StringIO()
    argv = [str(SERVER_STUB), *args]
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", argv), _umask_kept():
        try:
            app.run()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int)
    return CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@contextmanager
def _umask_kept() -> Iterator[None]:
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)
