"""The ledger's writer: one thread with one connection (`connection`), to which every job of the ledger is handed.

1. A job is a function of the connection; whoever hands it over awaits its result.
2. All jobs of one turn of the event loop are handed over together. The thread takes all that waits into one
   transaction, and commits once: several attempts that write at the same time pay for one fsync, and for one wake-up.
3. Nobody gets a result before the commit. A job that raises is undone alone. If SQLite itself fails, the whole
   transaction is rolled back, and every job in it raises `LedgerFault`.
4. A job for which nobody waits (`later`) rides with the next transaction, before all that is handed over after it. If
   nothing else is, it has one of its own soon. So does one that can wait so many seconds (`within`).
"""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from mail_sender.ledger.connection import AsOwner, Connection, Job, Result
from mail_sender.ledger.sqlite_faults import Unreadable

__all__ = ["Job", "Unreadable", "Writer"]

SOON = 0.05
"""Seconds for which a job that nobody waits for is kept back, if nothing else is written."""
_BUSY_SECONDS = 5.0
_MOST_TOGETHER = 256  # jobs in one transaction


class _HandedOver(NamedTuple):
    """A job, whether it begins something new, and who waits for it."""

    job: Job[Any]
    begins: bool
    done: asyncio.Future[Any] | None


_Answered = tuple[asyncio.Future[Any], Any, BaseException | None]


class Writer:
    """The thread and its connection to the file at `path`, or to memory; the rest is as `Connection` has it.

    `pending` is how many answers the thread owes.
    """

    def __init__(self, path: Path | None, as_owner: AsOwner = nullcontext, *, reads_only: bool = False) -> None:
        self.pending = 0
        self._path = path
        self._as_owner = as_owner
        self._reads_only = reads_only
        self._together: list[_HandedOver] = []  # of this turn of the loop, and what nobody waits for
        self._hands_over: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._jobs: SimpleQueue[list[_HandedOver] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    async def start(self, prepare: Job[None]) -> None:
        """Open the file and prepare it. Raises `LedgerFault`, and what `prepare` raises."""
        self._connection = Connection(self._path, prepare, _BUSY_SECONDS, self._as_owner, reads_only=self._reads_only)
        self._thread.start()
        await self.do(lambda _: None)

    async def do(self, job: Job[Result], *, begins: bool = False, within: float = 0.0) -> Result:
        """Have a job done, and return its result once that is committed.

        `begins` says that it begins something new, for which the disk must have space left over; `within`, for how
        many seconds it can wait for what is handed over next.
        Raises `LedgerFault`, and what the job raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._together.append(_HandedOver(job, begins, done))
        if within > 0:
            self._hand_over_within(within)
        elif self._hands_over is not loop:
            self._hands_over = loop
            loop.call_soon(self._hand_over)
        return await done

    def later(self, job: Job[object]) -> None:
        """Have a job done that begins something new, with whatever is done next; nobody hears what became of it."""
        self._together.append(_HandedOver(job, begins=True, done=None))
        self._hand_over_within(SOON)

    @property
    def in_doubt(self) -> bool:
        """Whether the ledger failed, or refused something new, and has written nothing since."""
        return self._connection.in_doubt

    async def read(self, job: Job[Result]) -> Result:
        """Have a job done that only reads, and may take long; what is written does not wait for it.

        Raises `LedgerFault`, and what the job raises.
        """
        if not self._connection.reads_beside:
            return await self.do(job)
        return await asyncio.to_thread(self._connection.read, job)

    async def close(self) -> None:
        """Have what waits done, and close the file."""
        self._hand_over()
        if self._thread.is_alive():
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _hand_over_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._soon is None or not now < self._soon.when() <= now + seconds:  # one of a loop that is gone is past
            self._call_off()
            self._soon = loop.call_later(seconds, self._hand_over)

    def _call_off(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def _hand_over(self) -> None:
        self._hands_over = None
        self._call_off()
        if self._together:
            together, self._together = self._together, []
            self.pending += sum(one.done is not None for one in together)
            self._jobs.put(together)

    def _answer(self, answers: Sequence[_Answered]) -> None:
        for done, result, error in answers:
            self.pending -= 1
            if not done.done():
                done.set_result(result) if error is None else done.set_exception(error)

    # From here on: the thread

    def _work(self) -> None:
        while batch := self._next_batch():
            try:
                results = self._connection.commit([(job, begins) for job, begins, _ in batch])
            except BaseException as fault:  # noqa: BLE001 - whoever waits gets it; the thread goes on
                results = [(None, fault)] * len(batch)
            answers: dict[asyncio.AbstractEventLoop, list[_Answered]] = {}
            for (*_, done), (result, error) in zip(batch, results, strict=True):
                if done is not None:
                    answers.setdefault(done.get_loop(), []).append((done, result, error))
            for loop, of_loop in answers.items():
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._answer, of_loop)
        self._connection.close()

    def _next_batch(self) -> list[_HandedOver]:
        """Return all jobs that wait; none when it is time to close."""
        batch = self._jobs.get()
        with suppress(Empty):
            while batch and len(batch) < _MOST_TOGETHER:
                more = self._jobs.get_nowait()
                if more is None:
                    self._jobs.put(None)
                    break
                batch += more
        return batch or []
