"""A connection to the database, on which one transaction at a time goes out whole.

1. All statements of a transaction, its BEGIN and its COMMIT are sent together (pipeline mode), so that it costs one
   round trip, and so that the server never waits, with rows locked, for a client that was stopped.
2. Nothing is left in the session, so that PgBouncer may give each transaction another one. What a transaction needs
   (the schema, the waits, commits that are on disk) is set for it alone. Where the server itself answers, which its
   process id shows, this is set once, and statements are prepared.
3. Nothing is cancelled: a server that does not answer any more would not hear that either. When its time is up, the
   socket is shut, and whoever waits for it sees the connection break.
"""

import asyncio
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown

from mail_sender.ledger.postgres import faults
from mail_sender.ledger.postgres.statement import Rows, Statement
from mail_sender.ledger.postgres.target import Target

CONNECT_SECONDS = 5.0
SECONDS = 12.0
"""How long a transaction may take until the connection is given up."""
_STATEMENT_SECONDS = 10
_LOCK_SECONDS = 3
_IDLE_SECONDS = 10  # a client that was stopped while it sent a transaction holds up others for so long
_PREPARED_AFTER = 3

_BEGIN = {
    (False, False): Statement("BEGIN"),
    (False, True): Statement("BEGIN READ ONLY"),
    (True, True): Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
}
_COMMIT = Statement("COMMIT")
# A commit that is not on disk, here and on a synchronous standby, would be a promise that a crash breaks.
_SETTINGS = f"""
    SELECT set_config('search_path', %(path)s, %(is_local)s),
        set_config('statement_timeout', '{_STATEMENT_SECONDS}s', %(is_local)s),
        set_config('lock_timeout', '{_LOCK_SECONDS}s', %(is_local)s),
        set_config('idle_in_transaction_session_timeout', '{_IDLE_SECONDS}s', %(is_local)s),
        set_config('jit', 'off', %(is_local)s),
        set_config('synchronous_commit', CASE current_setting('synchronous_commit')
            WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, %(is_local)s)
    """


class _Text(StrDumperUnknown):
    """PostgreSQL has no text with U+0000: what no address and no reply should hold is replaced."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


async def dial(target: Target, *, autocommit: bool = True) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Return a connection as psycopg makes it, without prepared statements of its own. Raises `LedgerFault`."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await psycopg.AsyncConnection.connect(
                make_conninfo(**target.parameters), autocommit=autocommit, prepare_threshold=None
            )
    except TimeoutError:
        raise faults.timed_out(target.place) from None
    except (psycopg.Error, OSError, UnicodeError) as error:
        raise faults.on_connecting(error, target.place, target.password) from None


class Connection:
    """One connection. `connect` makes one."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[Any, ...]], target: Target) -> None:
        self._connection = connection
        self._place = target.place
        self._path = f'"{target.schema}", pg_temp'
        self._settings: Statement | None = None
        self._was_shut = False

    @classmethod
    async def connect(cls, target: Target) -> Self:
        """Connect. Raises `LedgerFault`."""
        connection = await dial(target)
        connection.adapters.register_dumper(int, Int8Dumper)  # one type, so that a statement is prepared once
        connection.adapters.register_dumper(str, _Text)
        made = cls(connection, target)
        await made._set_up()
        return made

    @property
    def is_direct(self) -> bool:
        """Whether the server itself answers, and no pooler before it."""
        return self._settings is None

    @property
    def is_usable(self) -> bool:
        """Whether nothing has arrived while nothing was asked: that would be the connection's end."""
        if self._connection.closed or self._was_shut:
            return False
        idle = self._connection.pgconn.transaction_status == pq.TransactionStatus.IDLE
        with suppress(psycopg.Error, OSError, ValueError):
            return idle and not select.select([self._connection.fileno()], [], [], 0)[0]
        return False

    async def run(
        self,
        statements: Sequence[Statement],
        *,
        snapshot: bool = False,
        reads: bool = False,
        seconds: float | None = None,
    ) -> list[Rows]:
        """Do statements in one transaction; return what each of them did.

        With `snapshot` all of them see one state of the ledger. After so many seconds the connection is given up.
        Raises `psycopg.Error`, and `LedgerFault` if the server does not answer.
        """
        begin = _BEGIN[snapshot, snapshot or reads]
        before = [begin] if self._settings is None else [begin, self._settings]
        found = await self._in_time([*before, *statements, _COMMIT], seconds)
        return found[len(before) : -1]

    async def close(self) -> None:
        """Close it; nothing is raised."""
        with suppress(psycopg.Error, OSError):
            await self._connection.close()

    async def _set_up(self) -> None:
        try:
            ((process,),) = (await self._in_time([Statement("SELECT pg_backend_pid()")]))[0]
            is_direct = process == self._connection.info.backend_pid
            settings = Statement(_SETTINGS, {"path": self._path, "is_local": not is_direct})
            if is_direct:
                await self._in_time([settings])
                self._connection.prepare_threshold = _PREPARED_AFTER
            else:
                self._settings = settings
        except BaseException as error:
            await self.close()
            if isinstance(error, psycopg.Error):
                raise faults.of(error, self._place) from None
            raise

    async def _in_time(self, statements: Sequence[Statement], seconds: float | None = None) -> list[Rows]:
        timer = asyncio.get_running_loop().call_later(seconds or SECONDS, self._shut)
        try:
            return await self._exchange(statements)
        except psycopg.Error:
            if self._was_shut:
                raise faults.timed_out(self._place) from None
            with suppress(psycopg.Error):
                await self._connection.rollback()
            raise
        finally:
            timer.cancel()

    async def _exchange(self, statements: Sequence[Statement]) -> list[Rows]:
        cursors = []
        async with self._connection.pipeline():
            for text, values in statements:
                cursor = self._connection.cursor()
                await cursor.execute(text, values)
                cursors.append(cursor)
        return [await cursor.fetchall() if cursor.description else [] for cursor in cursors]

    def _shut(self) -> None:
        self._was_shut = True
        with suppress(psycopg.Error, OSError), socket.socket(fileno=socket.dup(self._connection.fileno())) as shut:
            shut.shutdown(socket.SHUT_RDWR)
