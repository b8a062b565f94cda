"""Where a case's ledger lies: in a file of the case's folder, or in a database of its own on one PostgreSQL.

A sender that dies in this process leaves its ledger as kill -9 does (`freeze`). Of a file, that is a copy which is put
back when the sender has been cleared away. Of a database, it is the cut of all connections of that sender, which is
known there by an application_name of its own: what the server has received by then, it may do, and nothing after that.

In a database the next sender is another replica, which would wait for the lease of the dead one. One sender lives at a
time here, so that nothing can happen meanwhile that the wait would show; so when a replica comes, a trigger moves all
that the database's clock has written by a lease into the past, as if somebody had set the clock: the program and its
statements are the shipped ones. Where two replicas live (F20), that is switched off, and they do wait.
"""

import asyncio
import itertools
import os
import shutil
import signal
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Entry, Query
from mail_sender.ledger.postgres import claims, target
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.sqlite import SqliteLedger
from tests.support.postgres import Postgres

SCHEMA = target.SCHEMA
"""The installed command's."""
_MOST = 100_000
_RECOVERY_SECONDS = 30.0
_PAUSE = 0.05
_TEMPLATE, _MAKING = "ready", "making"
_numbers = itertools.count(1)


class Home(Protocol):
    """Where a case's ledger lies. `begin` and `end` are around the case."""

    path: Path | None
    database: str | None

    async def begin(self) -> None:
        """Make it ready."""

    async def end(self) -> None:
        """Throw it away."""

    def for_next_sender(self, database: str | None) -> str | None:
        """Return a database, if it is one, as the next sender is to reach it."""

    def freeze(self) -> Callable[[], None]:
        """Have what is written now stay as it is; returns what to call when the dead sender is cleared away."""

    async def rows(self, open_ledger: SqliteLedger | PostgresLedger | None) -> Sequence[Entry]:
        """Return what it holds, newest first; a sender may have it open."""

    async def texts(self) -> Mapping[str, bytes]:
        """Return all that is written down there, as it lies there."""


class InFile:
    """A ledger in a file of the case's folder."""

    database: str | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path: Path | None = folder / "ledger.db"

    async def begin(self) -> None:
        """The sender makes it."""

    async def end(self) -> None:
        """It goes with the folder."""

    def for_next_sender(self, database: str | None) -> str | None:
        """There is no database."""
        return database

    def files(self) -> Sequence[Path]:
        """Return the ledger's file and those beside it (-wal, -shm), as far as they are there."""
        return sorted(self._folder.glob("ledger.db*"))

    def freeze(self) -> Callable[[], None]:
        """Copy the files; its index in shared memory is made anew by whoever opens it."""
        saved = self._folder / f"saved-{time.monotonic_ns()}"
        saved.mkdir()
        for file in self.files():
            if not file.name.endswith("-shm"):
                shutil.copy2(file, saved / file.name)

        def put_back() -> None:
            for file in self.files():
                file.unlink()
            for file in saved.iterdir():
                file.rename(self._folder / file.name)
            saved.rmdir()

        return put_back

    async def rows(self, open_ledger: SqliteLedger | PostgresLedger | None) -> Sequence[Entry]:
        """Read it, by the sender's own ledger where there is one."""
        if open_ledger is not None:
            return await open_ledger.find(Query(), _MOST)
        ledger = await SqliteLedger.open(self.path)
        found = await ledger.find(Query(), _MOST)
        await ledger.close()
        return found

    async def texts(self) -> Mapping[str, bytes]:
        """Return the files."""
        return {file.name: file.read_bytes() for file in self.files()}


class InDatabase:
    """A ledger in a database of its own, which an observer reads whose connection no fault touches."""

    path: Path | None = None

    def __init__(self, server: Postgres, cuts: "Cuts") -> None:
        self.server = server
        self._cuts = cuts
        self._name = f"case_{os.getpid()}_{next(_numbers)}"
        self._own = {"host": str(server.folder), "port": str(server.port), "user": "mail", "dbname": self._name}
        self.database: str | None = make_conninfo(**self._own)
        self._sender = ""
        self._observer: PostgresLedger | None = None

    async def begin(self) -> None:
        """Have a copy of the template."""
        await self._do(f"CREATE DATABASE {self._name} TEMPLATE {_TEMPLATE} OWNER mail")

    async def end(self) -> None:
        """Drop it."""
        await self._close_observer()
        with suppress(psycopg.Error):  # the case may have ended its server
            await self._do(f"DROP DATABASE {self._name} WITH (FORCE)")

    def for_next_sender(self, database: str | None) -> str | None:
        """Return the database under a name by which its connections are known."""
        self._sender = f"sender-{next(_numbers)}"
        return make_conninfo(database or "", application_name=self._sender)

    def freeze(self) -> Callable[[], None]:
        """Cut the sender off."""
        self._cuts.cut(self._sender)
        return _nothing

    async def rows(self, open_ledger: SqliteLedger | PostgresLedger | None) -> Sequence[Entry]:
        """Read it past whatever stands between the sender and the server, which may have to recover first."""
        place = target.of(make_conninfo(**self._own), environment={})
        async with asyncio.timeout(_RECOVERY_SECONDS):
            while True:
                with suppress(LedgerFault):
                    if self._observer is None:
                        self._observer = await PostgresLedger.open(place, reads_only=True)
                    return await self._observer.find(Query(), _MOST)
                await asyncio.sleep(_PAUSE)

    async def texts(self) -> Mapping[str, bytes]:
        """Return each table, row by row."""
        async with await psycopg.AsyncConnection.connect(make_conninfo(**self._own)) as reader:
            found = {}
            for table in await _names(reader, "SELECT tablename FROM pg_tables WHERE schemaname = %s", SCHEMA):
                rows = await reader.execute(f'SELECT r::text FROM {SCHEMA}."{table}" r')  # noqa: S608 - ours
                found[f"table {table}"] = "\n".join([row for (row,) in await rows.fetchall()]).encode()
            return found

    def by_way_of(self, folder: Path) -> str:
        """Return the database as it is reached by a socket in another folder."""
        return make_conninfo(**{**self._own, "host": str(folder)})

    async def on(self, server: Postgres) -> "InDatabase":
        """Return a home on another server."""
        await prepare(server)
        return InDatabase(server, self._cuts)

    async def do(self, statement: str, *, as_role: str) -> None:
        """Do a statement in this database."""
        await _do(self.server, statement, self._name, as_role)

    async def crash_a_session(self) -> None:
        """Kill with -9 a process of the server that works for a sender."""
        found = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() LIMIT 1"
        async with await _connected(self.server, self._name, "postgres") as connection:
            for pid in await _names(connection, found, self._name):
                os.kill(int(pid), signal.SIGKILL)

    async def _close_observer(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            await observer.close()

    async def _do(self, statement: str) -> None:
        await _do(self.server, statement)


class Cuts:
    """The connections of this process to databases, by their application_name, so that one sender's can be cut."""

    def __init__(self) -> None:
        self._of: defaultdict[str, list[psycopg.AsyncConnection[Any]]] = defaultdict(list)
        self._dead: set[str] = set()
        self._connect = psycopg.AsyncConnection.connect

    async def connect(self, conninfo: str = "", **options: Any) -> psycopg.AsyncConnection[Any]:
        """Connect, and note whose connection it is; the dead get none."""
        name = str(conninfo_to_dict(conninfo).get("application_name"))
        connection = await self._connect(conninfo, **options)
        self._of[name] = [one for one in self._of[name] if not one.closed]
        self._of[name].append(connection)
        if name in self._dead:
            self.cut(name)
        return connection

    def cut(self, name: str) -> None:
        """Have the server see all of a sender's connections end, as the kernel ends those of a process that died."""
        self._dead.add(name)
        for connection in self._of.pop(name, []):
            with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)


Homes = Callable[[Path], Home]
"""Gives each case, by its folder, the home of its ledger."""


@asynccontextmanager
async def homes(server: Postgres | None) -> AsyncIterator[Homes]:
    """Give each case's ledger a home: a file, or a database on this server."""
    if server is None:
        yield InFile
        return
    cuts = Cuts()
    with patch.object(psycopg.AsyncConnection, "connect", cuts.connect):
        await prepare(server)
        yield lambda _: InDatabase(server, cuts)


async def prepare(server: Postgres) -> None:
    """Make the template, unless there is one: the tables, and the trigger by which a lease passes."""
    async with await _connected(server, "postgres", "postgres") as one_at_a_time:
        await one_at_a_time.execute("SELECT pg_advisory_lock(1)")
        found = "SELECT datname FROM pg_database WHERE datname = %s"
        if not await _names(one_at_a_time, found, _TEMPLATE):
            await _do(server, f"CREATE DATABASE {_MAKING} OWNER mail")
            await make_tables(server, _MAKING)
            await _do(server, f"ALTER DATABASE {_MAKING} RENAME TO {_TEMPLATE}")


async def make_tables(server: Postgres, database: str) -> None:
    """Make a ledger in a database, and the trigger."""
    ledger = await PostgresLedger.open(server.target(SCHEMA, dbname=database))
    await ledger.close()
    async with await _connected(server, database, "mail") as connection:
        await connection.execute(await _trigger(connection))


_COLUMNS = (
    "SELECT table_name || ' ' || column_name FROM information_schema.columns "
    "WHERE table_schema = %s AND data_type = 'timestamp with time zone'"
)


async def _trigger(connection: psycopg.AsyncConnection[Any]) -> str:
    """Return what makes the trigger: times with a zone are the database's clock's, and no others are."""
    columns = [name.split() for name in await _names(connection, _COLUMNS, SCHEMA)]
    moved = "".join(
        f"UPDATE {table} SET {column} = {column} - interval '{claims.LEASE + 1} s' WHERE {column} IS NOT NULL; "  # noqa: S608 - ours
        for table, column in columns
    )
    return f"""
        CREATE FUNCTION {SCHEMA}.a_lease_passes() RETURNS trigger LANGUAGE plpgsql SET search_path = {SCHEMA} AS $$
        BEGIN
            {moved}
            UPDATE replica SET seen_at = clock_timestamp() WHERE id = NEW.id;
            RETURN NULL;
        END $$;
        CREATE TRIGGER a_lease_passes AFTER INSERT ON {SCHEMA}.replica
            FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.a_lease_passes()
        """  # noqa: S608 - ours


async def _names(connection: psycopg.AsyncConnection[Any], statement: str, *values: str) -> list[str]:
    found = await connection.execute(statement, values)
    return [name for (name,) in await found.fetchall()]


async def _do(server: Postgres, statement: str, database: str = "postgres", role: str = "postgres") -> None:
    async with await _connected(server, database, role) as connection:
        await connection.execute(statement)


async def _connected(server: Postgres, database: str, role: str) -> psycopg.AsyncConnection[Any]:
    place = make_conninfo(host=str(server.folder), port=str(server.port), user=role, dbname=database)
    return await psycopg.AsyncConnection.connect(place, autocommit=True)


def _nothing() -> None:
    return
