"""The ledger's writer: one thread with one connection (`connection`), to which every job of the ledger is handed.

1. A job is a function of the connection; whoever hands it over awaits its result.
2. The thread takes all jobs that wait, gives each a savepoint inside one transaction, and commits once: several
   attempts that write at the same time pay for one fsync.
3. Nobody gets a result before the commit. A job that raises is rolled back alone. If SQLite itself fails, the whole
   transaction is rolled back, and every job in it raises `LedgerFault`.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from mail_sender.ledger.connection import AsOwner, Connection, Job, Result
from mail_sender.ledger.sqlite_faults import Unreadable

__all__ = ["Job", "Unreadable", "Writer"]

_Answer = Callable[[Any, BaseException | None], None]

_BUSY_SECONDS = 5.0
_MOST_TOGETHER = 256  # jobs in one transaction


class Writer:
    """The thread and its connection to the file at `path`, or to memory; the rest is as `Connection` has it."""

    def __init__(self, path: Path | None, as_owner: AsOwner = nullcontext, *, reads_only: bool = False) -> None:
        self.pending = 0
        self._path = path
        self._as_owner = as_owner
        self._reads_only = reads_only
        self._jobs: SimpleQueue[tuple[Job[Any], bool, _Answer] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    async def start(self, prepare: Job[None]) -> None:
        """Open the file and prepare it. Raises `LedgerFault`, and what `prepare` raises."""
        self._connection = Connection(self._path, prepare, _BUSY_SECONDS, self._as_owner, reads_only=self._reads_only)
        self._thread.start()
        await self.do(lambda _: None)

    async def do(self, job: Job[Result], *, begins: bool = False) -> Result:
        """Have a job done, and return its result once that is committed.

        `begins` says that it begins something new, for which the disk must have space left over.
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
        self._jobs.put((job, begins, answer))
        return await done

    async def read(self, job: Job[Result]) -> Result:
        """Have a job done that only reads, and may take long; what is written does not wait for it.

        Raises `LedgerFault`, and what the job raises.
        """
        if not self._connection.reads_beside:
            return await self.do(job)
        return await asyncio.to_thread(self._connection.read, job)

    async def close(self) -> None:
        """Have what waits done, and close the file."""
        if self._thread.is_alive():
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    # From here on: the thread

    def _work(self) -> None:
        while batch := self._next_batch():
            try:
                answers = self._connection.commit([(job, begins) for job, begins, _ in batch])
            except BaseException as fault:  # noqa: BLE001 - whoever waits gets it; the thread goes on
                answers = [(None, fault)] * len(batch)
            for (*_, answer), (result, error) in zip(batch, answers, strict=True):
                answer(result, error)
        self._connection.close()

    def _next_batch(self) -> list[tuple[Job[Any], bool, _Answer]]:
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
