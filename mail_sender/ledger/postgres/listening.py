"""News from the other replicas: LISTEN, on a connection of its own; where that does not work, a look every second.

1. News is a notification that comes with the commit of what it is about. It names who gave it: one's own is passed
   over.
2. A PgBouncer that pools by transaction takes a LISTEN, and hands nothing on. So where another process than the
   server's own answers, a notification is sent to ourselves by another connection. If it does not come, that is said
   once, and from then on it counts as news, every second, that there may be some.
3. While there is no connection, and after each new one, there may be news as well.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg import sql

from mail_sender.backoff import JITTER, Backoff, Dice
from mail_sender.errors import LedgerFault
from mail_sender.ledger.postgres import faults
from mail_sender.ledger.postgres.connection import CONNECT_SECONDS, dial
from mail_sender.ledger.postgres.statement import Statement
from mail_sender.ledger.postgres.target import Target
from mail_sender.ledger.replicas import Hear, News

LOOKS_EVERY = 1.0
"""Seconds between two looks while nothing is heard."""
PROBED_FOR = 3.0
"""Seconds within which a notification to ourselves has to come."""
_AGAIN = Backoff(first=1.0, most=8.0)
_DEAF = (
    "no notifications come through to the database's clients (PgBouncer in transaction mode?): "
    "what other senders take up is looked for every second instead"
)

_log = structlog.get_logger()


class _Deaf(Exception):
    """Nothing comes through."""


def notify(target: Target, replica: UUID, what: str) -> Statement:
    """Return the statement that gives news to all who listen, when its transaction is committed."""
    return Statement("SELECT pg_notify(%(channel)s, %(news)s)", values(target, replica, what))


def values(target: Target, replica: UUID, what: str) -> dict[str, object]:
    """Return what such a statement binds."""
    return {"channel": target.schema, "news": f"{what} {replica}"}


class Listening:
    """Listens for one replica. `do` has a statement done by another connection, `hear` is called with news."""

    def __init__(
        self,
        target: Target,
        replica: UUID,
        do: Callable[[Statement], Awaitable[object]],
        hear: Hear,
        dice: Dice = random.random,
    ) -> None:
        self._target = target
        self._replica = replica
        self._do = do
        self._hear = hear
        self._dice = dice

    async def run(self) -> None:
        """Listen until it is cancelled; nothing is raised."""
        wait = 0.0
        while True:
            try:
                async with self._connection() as connection:
                    self._hear_all()
                    wait = 0.0
                    async for notice in connection.notifies():
                        self._take(notice.payload)
            except _Deaf:
                _log.info("not_notified", message=_DEAF)
                await self._look(float("inf"))
            except (psycopg.Error, LedgerFault, OSError, TimeoutError):
                wait = _AGAIN.longer(wait)
                await self._look(wait * (1 + JITTER * (2 * self._dice() - 1)))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        connection = await dial(self._target)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._target.schema)))
                await self._probe(connection)
            yield connection
        finally:
            with suppress(psycopg.Error, OSError):
                await connection.close()

    async def _probe(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        """Find out whether notifications come through. Raises `_Deaf`."""
        cursor = await connection.execute("SELECT pg_backend_pid()")
        ((process,),) = await cursor.fetchall()
        if process == connection.info.backend_pid:
            return
        probe = f"probe-{uuid4()}"
        await self._do(notify(self._target, self._replica, probe))
        async for notice in connection.notifies(timeout=PROBED_FOR):
            if notice.payload.startswith(probe):
                return
        with suppress(psycopg.Error):
            await connection.execute("UNLISTEN *")
        raise _Deaf

    async def _look(self, seconds: float) -> None:
        while seconds > 0:
            await asyncio.sleep(min(LOOKS_EVERY, seconds))
            seconds -= LOOKS_EVERY
            self._hear_all()

    def _take(self, payload: str) -> None:
        what, _, whose = payload.partition(" ")
        if whose != str(self._replica) and what in set(News):
            self._hear(News(what))

    def _hear_all(self) -> None:
        for news in (News.QUEUE, News.COMMAND):  # the beats find out the rest
            self._hear(news)


async def comes_through(target: Target, do: Callable[[Statement], Awaitable[object]]) -> bool:
    """Say whether what `do` notifies comes through. Raises `psycopg.Error`, and `LedgerFault` if nobody answers."""
    try:
        async with Listening(target, uuid4(), do, bool)._connection():  # noqa: SLF001 - of this module
            return True
    except _Deaf:
        return False
    except TimeoutError:
        raise faults.timed_out(target.place) from None
