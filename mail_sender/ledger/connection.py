"""The ledger's connection to its file, for the thread of `writer`, and one beside it that only reads.

1. What stands in the file is prepared when it is opened: `prepare` makes the tables, or refuses the file.
2. A file that was removed or replaced under the connection would swallow what is written. So the ledger's file and
   SQLite's files beside it are looked at before each transaction, and again before its result is given out. If
   -wal or -shm is gone, what they held is written into the ledger, and they are made anew. If the ledger is gone,
   nothing more is written.
3. The write-ahead log is copied into the ledger often, so that it stays small. If the disk is full, the reserve is
   given back, the log is emptied, and the transaction is tried once more. What begins something new is refused until
   the reserve is held again.
4. What takes long to read is read beside, by another thread, from the state that was committed last: no writing waits
   for it. Both connections are opened and closed together. Otherwise the one that stays would keep a -shm in use that
   was removed.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from mail_sender.errors import LedgerFault
from mail_sender.ledger import migrations, sqlite_faults
from mail_sender.ledger.reserve import Reserve
from mail_sender.ledger.sqlite_faults import Unreadable

Result = TypeVar("Result")
Job = Callable[[sqlite3.Connection], Result]
Answers = list[tuple[Any, BaseException | None]]
AsOwner = Callable[[], AbstractContextManager[None]]

CHECKPOINT_PAGES = 128
"""After so many pages (of 4 KiB) the write-ahead log is copied into the ledger."""
LARGEST_LOG = 512 * 1024
"""Octets of the write-ahead log that stay on the disk after a transaction that needed more."""

_WRITE_AHEAD = "PRAGMA journal_mode = WAL"
_EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = FAST",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    f"PRAGMA journal_size_limit = {LARGEST_LOG}",
)
_BESIDE = ("-wal", "-shm")
_STATEMENTS = 256  # prepared ones that are kept


class Connection:
    """A connection to the file at `path`, or to memory.

    `as_owner` is entered while the file is opened, and at no other time: it holds for all threads. If it
    `reads_only`, nothing in the file is changed: one that an older version wrote is brought up to date in memory.
    `in_doubt` says that it failed, or refused something new, and has written nothing since.
    `busy_seconds` is how long another program may have it.
    """

    def __init__(
        self,
        path: Path | None,
        prepare: Job[None],
        busy_seconds: float,
        as_owner: AsOwner = nullcontext,
        *,
        reads_only: bool = False,
    ) -> None:
        self._path = path
        self._files = [] if path is None or reads_only else [f"{path}{end}" for end in ("", *_BESIDE)]
        self._prepare = prepare
        self._busy_seconds = busy_seconds
        self._as_owner = as_owner
        self._reads_only = reads_only
        self._reserve = Reserve(path.parent) if path and not reads_only else None
        self._connection: sqlite3.Connection | None = None
        self._beside: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._identities: list[tuple[int, int]] = []
        self.in_doubt = False

    def commit(self, jobs: Sequence[tuple[Job[Any], bool]]) -> Answers:
        """Do jobs in one transaction; return each one's result, or what it raised.

        Beside each job stands whether it begins something new, which a full disk refuses. Raises `LedgerFault`.
        """
        try:
            with sqlite_faults.in_words(self._path):
                return self._commit(jobs)
        except BaseException:
            self.in_doubt = True
            raise

    def _commit(self, jobs: Sequence[tuple[Job[Any], bool]]) -> Answers:
        connection = self._in_place()
        before, has_space = connection.total_changes, self._hold_reserve()
        to_do = [job if has_space or not begins else self._refuse for job, begins in jobs]
        try:
            answers = _transaction(connection, to_do, reads_only=self._reads_only)
        except sqlite3.Error as error:
            if not (self._reserve and sqlite_faults.may_be_full(error) and self._reserve.give_back()):
                raise
            with suppress(sqlite3.Error):
                connection.execute(_EMPTY_LOG)
            answers = _transaction(connection, to_do)
        self._in_place()
        if not has_space:
            self.in_doubt = True
        elif connection.total_changes != before:
            self.in_doubt = False
        return answers

    @property
    def reads_beside(self) -> bool:
        """Whether `read` can be used: a ledger in memory, and one that is only read, have one connection."""
        return self._path is not None and not self._reads_only

    def read(self, job: Job[Result]) -> Result:
        """Do a job that only reads, in any thread; return its result.

        Raises `LedgerFault`, and what the job raises.
        """
        with sqlite_faults.in_words(self._path), self._reading:
            if self._beside is None:
                raise LedgerFault("closed", f"{self._path} is not open", "try again in a moment")
            self._beside.execute("BEGIN")
            try:
                return job(self._beside)
            finally:
                self._beside.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; SQLite copies the write-ahead log into it, and removes the log."""
        if self._reserve:
            self._reserve.give_back()
        with self._reading, suppress(sqlite3.Error):
            if self._beside is not None:
                self._beside.close()
            self._beside = None
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _hold_reserve(self) -> bool:
        return self._reserve is None or self._reserve.hold()

    def _refuse(self, _: sqlite3.Connection) -> None:
        raise sqlite_faults.full(self._path)

    def _in_place(self) -> sqlite3.Connection:
        """Return the connection, opened if need be, if its files are where they were."""
        if self._connection is None:
            self._connection = self._opened()
        found = self._found()
        if found == self._identities:
            return self._connection
        if found[0] != self._identities[0]:
            detail = f"{self._path} was removed or replaced while it was in use"
            raise LedgerFault("gone", detail, "put it back, or restart mail-sender")
        with self._reading:  # a transaction that reads would be in the way
            (is_busy, *_) = self._connection.execute(_EMPTY_LOG).fetchone()
        if is_busy:
            detail = f"{self._path}-wal or -shm was removed while another program reads the ledger"
            raise LedgerFault("gone", detail, sqlite_faults.ELSEWHERE)
        self.close()
        self._connection = self._opened()
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        with self._as_owner():
            connection = sqlite3.connect(
                self._place(),
                uri=True,
                timeout=self._busy_seconds,
                isolation_level=None,
                cached_statements=_STATEMENTS,
            )
            try:
                for setting in _SETTINGS:
                    connection.execute(setting)
                if self._reads_only:
                    return self._for_reading(connection)
                self._prepare(connection)
                connection.execute(_WRITE_AHEAD)  # it writes into the file, which is known to be ours only now
                connection.execute("BEGIN IMMEDIATE")  # it makes -wal and -shm
                connection.execute("COMMIT")
                self._identities = self._found()
                self._open_beside()
            except BaseException:
                connection.close()
                raise
            return connection

    def _open_beside(self) -> None:
        if self._path is None:
            return
        place = f"{self._path.absolute().as_uri()}?mode=rw"
        beside = sqlite3.connect(
            place, uri=True, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            beside.execute("PRAGMA query_only = ON")
            beside.execute("PRAGMA temp_store = MEMORY")
            beside.execute("SELECT 1 FROM sqlite_master").fetchone()  # it opens the files, as their owner
        except BaseException:
            beside.close()
            raise
        with self._reading:
            self._beside = beside

    def _place(self) -> str:
        """Return the URI of what is opened; who only reads makes no file, and finds nothing where there is none."""
        if self._path is None or (self._reads_only and not self._path.exists()):
            return "file::memory:"
        return f"{self._path.absolute().as_uri()}?mode={'rw' if self._reads_only else 'rwc'}"

    def _for_reading(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        if not migrations.are_done(connection):
            copy = sqlite3.connect(":memory:", isolation_level=None)
            connection.backup(copy)
            connection.close()
            connection = copy
        self._prepare(connection)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _found(self) -> list[tuple[int, int]]:
        """Return which files are in the ledger's place and beside it; a file that is missing is (0, 0)."""
        return [_identity(file) for file in self._files]


def _identity(file: str) -> tuple[int, int]:
    try:
        found = os.lstat(file)
    except FileNotFoundError:
        return (0, 0)
    return found.st_dev, found.st_ino


class _HalfDone(Exception):
    """A job has written something, and then raised."""


def _transaction(connection: sqlite3.Connection, jobs: list[Job[Any]], *, reads_only: bool = False) -> Answers:
    """Do the jobs in one transaction; only where one must be undone alone does each get a savepoint of its own."""
    begin = "BEGIN" if reads_only else "BEGIN IMMEDIATE"
    try:
        return _committed(connection, begin, jobs, _done)
    except _HalfDone:
        return _committed(connection, begin, jobs, _in_a_savepoint)


def _committed(
    connection: sqlite3.Connection,
    begin: str,
    jobs: list[Job[Any]],
    do: Callable[[sqlite3.Connection, Job[Any]], tuple[Any, BaseException | None]],
) -> Answers:
    connection.execute(begin)
    try:
        answers = [do(connection, job) for job in jobs]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return answers


def _done(connection: sqlite3.Connection, job: Job[Any]) -> tuple[Any, BaseException | None]:
    before = connection.total_changes
    try:
        return job(connection), None
    except (sqlite3.Error, Unreadable, UnicodeDecodeError):
        raise
    except Exception as error:
        if connection.total_changes != before:
            raise _HalfDone from error
        return None, error


def _in_a_savepoint(connection: sqlite3.Connection, job: Job[Any]) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT job")
    try:
        result = job(connection)
    except (sqlite3.Error, Unreadable, UnicodeDecodeError):
        raise
    except Exception as error:  # noqa: BLE001 - the job's own: it goes to whoever handed it over, no other is undone
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        return None, error
    connection.execute("RELEASE job")
    return result, None
