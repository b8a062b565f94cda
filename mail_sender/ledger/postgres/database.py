"""The database as the ledger sees it: a transaction is handed over, and its rows come back, or a `LedgerFault`.

1. There are at most `MOST` connections, made when they are needed, one at a time, and kept.
2. A transaction that others were in the way of (a deadlock, a mailbox that another replica has claimed at the same
   moment) was undone whole, and is tried again a few times.
3. After a connection could not be made, no other is tried for a while, which doubles and is a little different each
   time: replicas that lost their database do not come back in one storm. Who asks meanwhile gets the last fault.
4. What the caller cancels goes on: a transaction is done or not done, and never half done.

psycopg's own pool would connect again in the background for each connection that is lost, and tell who waits for one
nothing but that it took too long. Here the fault has to be known at once, since no mail begins without the ledger.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager

import psycopg

from mail_sender.backoff import JITTER, Backoff, Dice
from mail_sender.errors import LedgerFault
from mail_sender.ledger.postgres import faults
from mail_sender.ledger.postgres.connection import Connection
from mail_sender.ledger.postgres.statement import Rows, Statement
from mail_sender.ledger.postgres.target import Target

MOST = 4
"""Connections of one replica, of which one is never used for what only reads: no claim waits for a long answer."""
_TRIES = 5
_PAUSE = 0.02  # seconds before another try, at most
_RECONNECT = Backoff(first=0.2, most=4.0)


class Database:
    """One database, given as `target`. A ledger that `reads_only` changes nothing in it."""

    def __init__(self, target: Target, *, reads_only: bool = False, dice: Dice = random.random) -> None:
        self._target = target
        self._reads_only = reads_only
        self._dice = dice
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(MOST)
        self._reading = asyncio.Semaphore(MOST - 1)
        self._connecting = asyncio.Lock()
        self._wait = 0.0
        self._not_before = float("-inf")
        self._fault: LedgerFault | None = None
        self._running: set[asyncio.Task[list[Rows]]] = set()

    @property
    def target(self) -> Target:
        """Where it is."""
        return self._target

    async def run(self, statements: Sequence[Statement]) -> list[Rows]:
        """Do statements in one transaction, in one round trip; return what each of them did. Raises `LedgerFault`."""
        return await self._shielded(self._try(statements))

    async def read(self, statements: Sequence[Statement], *, snapshot: bool = False) -> list[Rows]:
        """As `run`, of statements that change nothing: a connection that breaks is no reason to fail.

        With `snapshot` all of them see one state of the ledger. Raises `LedgerFault`.
        """
        return await self._shielded(self._try_reading(statements, snapshot=snapshot))

    async def close(self) -> None:
        """Wait for what runs, and close all connections."""
        if self._running:
            await asyncio.wait(self._running)
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection. Raises `LedgerFault` if there is none to be had."""
        async with self._free:
            connection = await self._usable()
            try:
                yield connection
            finally:
                if connection.is_usable:
                    self._idle.append(connection)
                else:
                    await connection.close()

    async def _shielded(self, call: Coroutine[None, None, list[Rows]]) -> list[Rows]:
        task = asyncio.get_running_loop().create_task(call)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[list[Rows]]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it may be gone

    async def _try(self, statements: Sequence[Statement]) -> list[Rows]:
        for rest in reversed(range(_TRIES)):
            try:
                async with self.connection() as connection:
                    return await connection.run(statements, reads=self._reads_only)
            except psycopg.Error as error:
                if error.sqlstate not in faults.TRIED_AGAIN or not rest:
                    raise faults.of(error, self._target.place) from error
            await asyncio.sleep(_PAUSE * self._dice())
        raise AssertionError  # the last try returns or raises

    async def _try_reading(self, statements: Sequence[Statement], *, snapshot: bool) -> list[Rows]:
        async with self._reading:
            for rest in (1, 0):
                try:
                    async with self.connection() as connection:
                        return await connection.run(statements, snapshot=snapshot, reads=True)
                except psycopg.Error as error:
                    fault = faults.of(error, self._target.place)
                    if fault.kind != faults.CUT or not rest:
                        raise fault from error
        raise AssertionError  # the last try returns or raises

    async def _usable(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            await connection.close()
        async with self._connecting:
            return await self._connected()

    async def _connected(self) -> Connection:
        now = asyncio.get_running_loop().time()
        if self._fault is not None and now < self._not_before:
            raise LedgerFault(self._fault.kind, self._fault.detail, self._fault.advice)
        try:
            connection = await Connection.connect(self._target)
        except LedgerFault as fault:
            self._fault, self._wait = fault, _RECONNECT.longer(self._wait)
            spread = 1 + JITTER * (2 * self._dice() - 1)
            self._not_before = asyncio.get_running_loop().time() + self._wait * spread
            raise
        self._fault, self._wait = None, 0.0
        return connection
