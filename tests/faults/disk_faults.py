"""What a disk, or somebody at it, does to a ledger that is in use; each of it has a begin and an end.

Mounting needs root and a kernel that lets it: `can_mount` says so, once.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from mail_sender.errors import LedgerFault
from mail_sender.ledger.sqlite import SqliteLedger
from tests.faults.rig import Rig

_MOST_PAGES = 2**30


class ServerFaultKind(Protocol):
    """A fault of the ledger's file."""

    async def begin(self) -> None:
        """Make it so, from the next call on."""
        ...

    async def end(self) -> None:
        """Put it right."""
        ...


class Full:
    """The file may not grow by a single page, as SQLite is told: SQLITE_FULL; what is free inside it is used up first."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    async def begin(self) -> None:
        """Fill it up."""
        await _have_done(self._rig, _fill_up)

    async def end(self) -> None:
        """Make room."""
        await _have_done(self._rig, _make_room)


_FULL = """CREATE TEMP TRIGGER IF NOT EXISTS full_{table}_{verb} BEFORE {verb} ON main.{table} BEGIN
INSERT INTO attempt (delivery, at, stage, verdict, reply, seconds)
VALUES ((SELECT min(number) FROM delivery), 0, '', '', zeroblob(9000), 0); END"""
_WRITES = (("message", "INSERT"), ("message", "UPDATE"), ("delivery", "UPDATE"))


def _fill_up(db: sqlite3.Connection) -> None:
    # What is changed in its place needs no page; on a real disk the -wal would grow all the same. So each write
    # brings another along that needs some.
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    for table, verb in _WRITES:
        db.execute(_FULL.format(table=table, verb=verb))


def _make_room(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
    for table, verb in _WRITES:
        db.execute(f"DROP TRIGGER IF EXISTS full_{table}_{verb}")


async def _have_done(rig: Rig, job: Callable[[sqlite3.Connection], object]) -> None:
    """Have the ledger's thread do a job; one that is committed together with it may spoil it, so it is tried again."""
    ledger = rig.ledger
    assert isinstance(ledger, SqliteLedger)
    for _ in range(100):
        with contextlib.suppress(LedgerFault):
            await ledger._writer.do(job)
            return
    raise AssertionError("the ledger's thread does not do it")


class Held:
    """Another program holds the file: SQLITE_BUSY."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._other: sqlite3.Connection | None = None

    async def begin(self) -> None:
        """Take it, when what is being written is written."""
        await _have_done(self._rig, lambda db: db.execute("PRAGMA busy_timeout = 20"))
        self._other = sqlite3.connect(self._rig.folder / "ledger.db", isolation_level=None)
        self._other.execute("BEGIN IMMEDIATE")

    async def end(self) -> None:
        """Let it go."""
        assert self._other is not None
        self._other.close()


class Gone:
    """The file is moved away, and comes back; meanwhile there is nothing in its place."""

    def __init__(self, rig: Rig) -> None:
        self._file = rig.folder / "ledger.db"
        self._away = rig.folder / "away"

    async def begin(self) -> None:
        """Move it away."""
        self._file.rename(self._away)

    async def end(self) -> None:
        """Bring it back."""
        self._away.rename(self._file)


class Replaced(Gone):
    """Another file is put in its place, a copy of it; then the right one comes back."""

    async def begin(self) -> None:
        """Put the copy there."""
        shutil.copy2(self._file, self._file.with_name("copy"))
        await super().begin()
        self._file.with_name("copy").rename(self._file)


DISK_FAULTS: Mapping[str, Callable[[Rig], ServerFaultKind]] = MappingProxyType(
    {"full": Full, "held": Held, "gone": Gone, "replaced": Replaced}
)


@cache
def can_mount() -> bool:
    """Say whether this process may mount."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
        if made.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return made.returncode == 0


@contextmanager
def small_disk(folder: Path, octets: int) -> Iterator[None]:
    """Have a folder be a disk of its own, of so many octets; what lies there at the end is copied to below it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={octets},mode=700", "none", folder], check=True)
    with tempfile.TemporaryDirectory() as saved:
        try:
            yield
            shutil.copytree(folder, saved, dirs_exist_ok=True)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
        shutil.copytree(saved, folder, dirs_exist_ok=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Have a file or a folder be read-only, for root as well where that can be had."""
    if os.geteuid() != 0:
        mode = path.stat().st_mode
        path.chmod(mode & 0o555)
        yield
        path.chmod(mode)
        return
    subprocess.run(["mount", "--bind", path, path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def fill(folder: Path) -> Path:
    """Fill a folder's disk to the last octet; return the file that does it."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    filler.write(b"\0" * size)
            except OSError:
                continue
    return file
