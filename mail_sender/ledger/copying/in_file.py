"""A ledger in its file, as a copy reads and writes it. Whoever opens one here holds the folder's lock."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from mail_sender.ledger import migrations, rows
from mail_sender.ledger.connection import Connection
from mail_sender.ledger.copying.tables import TABLES, Key, Row, Table, of
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import BusyLedger, NoLedger, StateFolder, in_words, not_ours, unusable

_Result = TypeVar("_Result")
_BUSY_SECONDS = 5.0
_SOURCE = "unfinished_copy"  # a table with one row: the place of the ledger that is copied


class FileLedger:
    """A ledger in its file; `source` and `target` give one."""

    def __init__(self, state: StateFolder, connection: Connection) -> None:
        self.place = str(state.ledger.resolve())
        self._connection = connection

    async def rows(self, table: Table, after: Key | None, most: int) -> Sequence[Row]:
        """Return the rows that come after one."""
        condition = "" if after is None else f"WHERE {table.key} > ?"
        select = f"SELECT {table.listed} FROM {table.name} {condition} ORDER BY {table.key} LIMIT ?"
        values = (most,) if after is None else (after, most)
        return self._do(lambda db: [of(table, row) for row in db.execute(select, values)])

    async def count(self, table: Table) -> int:
        """Return how many rows there are."""
        return self._do(lambda db: int(db.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]))

    async def last(self, table: Table) -> Key | None:
        """Return the key of the last row."""
        select = f"SELECT max({table.key}) FROM {table.name}"

        def job(db: sqlite3.Connection) -> Key | None:
            found: Key | None = db.execute(select).fetchone()[0]
            return found

        return self._do(job)

    async def see_alone(self) -> None:
        """Do nothing: whoever has the lock is alone."""

    async def begun_from(self) -> str | None:
        """Return of which ledger this one is an unfinished copy."""

        def job(db: sqlite3.Connection) -> str | None:
            if not migrations.is_unfinished(db):
                return None
            return str(db.execute(f"SELECT place FROM {_SOURCE}").fetchone()[0])

        return self._do(job)

    async def begin(self, source: str) -> None:
        """Mark it as an unfinished copy."""

        def job(db: sqlite3.Connection) -> None:
            db.execute(f"CREATE TABLE {_SOURCE} (place TEXT NOT NULL)")
            db.execute(f"INSERT INTO {_SOURCE} (place) VALUES (?)", (source,))
            migrations.mark(db, unfinished=True)

        self._do(job, begins=True)

    async def write(self, table: Table, some: Sequence[Row]) -> None:
        """Write rows."""
        insert = f"INSERT INTO {table.name} ({table.listed}) VALUES {rows.listed(table.columns)}"
        self._do(lambda db: db.executemany(insert, some), begins=True)

    async def empty(self) -> None:
        """Drop all that was copied."""

        def job(db: sqlite3.Connection) -> None:
            for table in reversed(TABLES):
                db.execute(f"DELETE FROM {table.name}")

        self._do(job)

    async def reopen(self) -> None:
        """Close the file: it is opened again when it is read."""
        self._connection.close()

    async def finish(self) -> None:
        """Take the mark away."""

        def job(db: sqlite3.Connection) -> None:
            db.execute(f"DROP TABLE {_SOURCE}")
            migrations.mark(db, unfinished=False)

        self._do(job)

    def _do(self, job: Callable[[sqlite3.Connection], _Result], *, begins: bool = False) -> _Result:
        ((result, error),) = self._connection.commit([(job, begins)])
        if error is not None:
            raise error
        done: _Result = result
        return done


@asynccontextmanager
async def source(state: StateFolder) -> AsyncIterator[FileLedger]:
    """Open the ledger of a folder, to be read. Raises `MailSenderError` and `LedgerFault`."""
    try:
        has_ledger = state.has_ledger()
    except OSError as error:
        raise not_ours(state, error) from None
    if not has_ledger:
        raise NoLedger(f"no ledger is in {state.path}: nothing was copied; name the folder of a sender's ledger")

    def prepare(db: sqlite3.Connection) -> None:
        migrations.refuse_another_version(db, state.ledger)
        migrations.prepare(db, state.ledger)

    with _locked(state):
        connection = Connection(state.ledger, prepare, _BUSY_SECONDS, state.as_owner, reads_only=True)
        try:
            yield FileLedger(state, connection)
        finally:
            connection.close()


@asynccontextmanager
async def target(state: StateFolder) -> AsyncIterator[FileLedger]:
    """Open the ledger of a folder, made if there is none, to be written. Raises as `source` does."""
    try:
        state.make()
    except OSError as error:
        raise unusable(state, error) from None

    def prepare(db: sqlite3.Connection) -> None:
        migrations.refuse_another_version(db, state.ledger)
        if not migrations.is_unfinished(db):
            migrations.prepare(db, state.ledger)

    with _locked(state):
        state.make_ledger()
        with in_words(state), state.as_owner():
            state.check()
        connection = Connection(state.ledger, prepare, _BUSY_SECONDS, state.as_owner)
        try:
            yield FileLedger(state, connection)
        finally:
            connection.close()


@contextmanager
def _locked(state: StateFolder) -> Iterator[None]:
    lock = Lock(state)
    if not lock.take():
        raise BusyLedger(f"{lock.holder()} has the ledger in {state.path}: stop it, then start the copy again")
    try:
        yield
    finally:
        lock.release()
