"""One stub for all tests of a worker that are about the sender: between two tests it is emptied, not started anew.

A test may change its files, queue, refuse, kill or stop it. The next test finds it as after its first start: an empty
queue, no mail, no refusals, the configuration that it wrote itself, no state folder. One that has ended is replaced.
"""

import itertools
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.stub import Stub

_OF_THE_PROCESS = {".lock", "mail", "queue.sqlite", "queue.sqlite-shm", "queue.sqlite-wal", "tls"}


class SharedStub:
    """A running stub in a folder below `folder`, and what its folder held at its start."""

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / f"stub-{number}" for number in itertools.count(1))
        self._start()

    def emptied(self) -> Stub:
        """Return the stub, as if it had just been started."""
        if self._stub._process is None:
            self._start()
        for path in self._found():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path, (content, mode) in self._files.items():
            path.write_bytes(content)
            path.chmod(mode)
        for mail in (self._stub.dir / "mail").glob("*"):
            mail.unlink()
        with closing(sqlite3.connect(self._stub.dir / "queue.sqlite")) as queue, queue:
            queue.execute("DELETE FROM message")
            queue.execute("DELETE FROM past")
        return self._stub

    def stop(self) -> None:
        """End it."""
        self._stub.stop()

    def _start(self) -> None:
        self._stub = Stub(next(self._folders)).start()
        self._files = {path: (path.read_bytes(), path.stat().st_mode) for path in self._found()}

    def _found(self) -> list[Path]:
        return [path for path in self._stub.dir.iterdir() if path.name not in _OF_THE_PROCESS]


@pytest.fixture(scope="session")
def shared_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedStub]:
    """Give the worker's stub."""
    shared = SharedStub(tmp_path_factory.mktemp("shared"))
    yield shared
    shared.stop()


@pytest.fixture
def stub(shared_stub: SharedStub) -> Stub:
    """Give a running stub with an empty queue."""
    return shared_stub.emptied()
