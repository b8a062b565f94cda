"""The ledger's writer: one thread with one SQLite connection, to which every job of the ledger is handed.

1. A job is a function of the connection; whoever hands it over awaits its result.
2. The thread takes all jobs that wait, gives each a savepoint inside one transaction, and commits once: several
   attempts that write at the same time pay for one fsync.
3. Nobody gets a result before the commit. A job that raises is rolled back alone. If SQLite itself fails, the whole
   transaction is rolled back, and every job in it raises `LedgerFault`.
4. A file that was removed or replaced under the connection would swallow what is written. It is checked before each
   transaction.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from mail_sender.errors import LedgerFault

Result = TypeVar("Result")
Job = Callable[[sqlite3.Connection], Result]
_Answer = Callable[[Any, BaseException | None], None]

_BUSY_SECONDS = 5.0
_MOST_TOGETHER = 256  # jobs in one transaction
_WRITE_AHEAD = "PRAGMA journal_mode = WAL"
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = FAST",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA journal_size_limit = {8 * 2**20}",
)


class Unreadable(ValueError):
    """A row holds what cannot have been written there."""


class Writer:
    """The thread and its connection to the file at `path`, or to memory."""

    def __init__(self, path: Path | None) -> None:
        self.pending = 0
        self._path = path
        self._jobs: SimpleQueue[tuple[Job[Any], _Answer] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._identity: tuple[int, int] | None = None

    async def start(self, prepare: Job[None]) -> None:
        """Open the file and prepare it. Raises `LedgerFault`, and what `prepare` raises."""
        self._prepare = prepare
        self._thread.start()
        await self.do(lambda _: None)

    async def do(self, job: Job[Result]) -> Result:
        """Have a job done, and return its result once that is committed.

        Raises `LedgerFault`, and what the job raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def answer(result: Result, error: BaseException | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(resolve, result, error)

        def resolve(result: Result, error: BaseException | None) -> None:
            self.pending -= 1
            if not done.done():
                done.set_result(result) if error is None else done.set_exception(error)

        self.pending += 1
        self._jobs.put((job, answer))
        return await done

    async def close(self) -> None:
        """Have what waits done, and close the file."""
        if self._thread.is_alive():
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    # From here on: the thread

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        while batch := self._next_batch():
            try:
                connection = connection or self._open()
                with _sqlite_in_words(self._path):
                    answers = self._commit(connection, [job for job, _ in batch])
            except BaseException as fault:  # noqa: BLE001 - whoever waits gets it; the thread goes on
                answers = [(None, fault)] * len(batch)
            for (_, answer), (result, error) in zip(batch, answers, strict=True):
                answer(result, error)
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _next_batch(self) -> list[tuple[Job[Any], _Answer]]:
        """Return all jobs that wait; none when it is time to close."""
        first = self._jobs.get()
        batch = [] if first is None else [first]
        with suppress(Empty):
            while batch and len(batch) < _MOST_TOGETHER:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)
                    break
                batch.append(job)
        return batch

    def _open(self) -> sqlite3.Connection:
        with _sqlite_in_words(self._path):
            place = f"{self._path.absolute().as_uri()}?mode=rwc" if self._path else ":memory:"
            connection = sqlite3.connect(
                place, uri=self._path is not None, timeout=_BUSY_SECONDS, isolation_level=None
            )
            try:
                for setting in _SETTINGS:
                    connection.execute(setting)
                self._prepare(connection)
                connection.execute(_WRITE_AHEAD)  # it writes into the file, which is known to be ours only now
                self._identity = self._file_identity()
            except BaseException:
                connection.close()
                raise
            return connection

    def _commit(self, connection: sqlite3.Connection, jobs: list[Job[Any]]) -> list[tuple[Any, BaseException | None]]:
        if self._file_identity() != self._identity:
            detail = f"{self._path} was removed or replaced while it was in use"
            raise LedgerFault("gone", detail, "restart mail-sender")
        connection.execute("BEGIN IMMEDIATE")
        try:
            answers = [_in_a_savepoint(connection, job) for job in jobs]
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return answers

    def _file_identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return found.st_dev, found.st_ino


def _in_a_savepoint(connection: sqlite3.Connection, job: Job[Any]) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT job")
    try:
        result = job(connection)
    except sqlite3.Error:
        raise
    except Exception as error:  # the job's own: it goes to whoever handed it over, and no other job is undone
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        if isinstance(error, Unreadable | UnicodeDecodeError):
            raise
        return None, error
    connection.execute("RELEASE job")
    return result, None


@contextmanager
def _sqlite_in_words(path: Path | None) -> Iterator[None]:
    """Raise what SQLite and the disk do as `LedgerFault`."""
    place = str(path) if path else "the ledger in memory"
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
        if "decode" in str(error):  # what SQLite holds for text is none; it quotes it
            kind = "SQLITE_CORRUPT"
        detail, advice = _WORDS.get(kind, _WORDS.get("_".join(kind.split("_")[:2]), (f"{error}", "check the disk")))
        raise LedgerFault(kind, f"{place}: {detail}", advice) from error
    except (Unreadable, UnicodeDecodeError) as error:
        what = error if isinstance(error, Unreadable) else "it is damaged"  # the other one quotes the row
        raise LedgerFault("SQLITE_CORRUPT", f"{place}: {what}", _DAMAGED) from error
    except OSError as error:
        detail = (error.strerror or "it cannot be read").lower()
        raise LedgerFault("disk", f"{place}: {detail}", "check the disk") from error


_DAMAGED = "restore it, or move it away: mail-sender then forgets what was sent, and may repeat mail"
_OWNER = "make it and its folder readable and writable for mail-sender's user"
_ELSEWHERE = "close that program: mail then goes on by itself"
_WORDS = {
    "SQLITE_FULL": ("the disk is full", "free some space: mail then goes on by itself"),
    "SQLITE_IOERR": ("the disk cannot be read or written", "check the disk: mail then goes on by itself"),
    "SQLITE_READONLY": ("it cannot be written", _OWNER),
    "SQLITE_CANTOPEN": ("it cannot be opened", _OWNER),
    "SQLITE_BUSY": ("another program has locked it", _ELSEWHERE),
    "SQLITE_LOCKED": ("another program has locked it", _ELSEWHERE),
    "SQLITE_CORRUPT": ("it is damaged", _DAMAGED),
    "SQLITE_NOTADB": ("it is not a ledger", _DAMAGED),
}
