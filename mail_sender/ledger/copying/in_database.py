"""A ledger in PostgreSQL, as a copy reads and writes it. Whoever opens one here holds its gate.

What is processing is given back: it is nobody's, with a lease that is over, and whoever starts first settles it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from mail_sender.errors import LedgerFault
from mail_sender.ledger.copying.tables import DELIVERY, TABLES, Key, Row, Table, of, to_database
from mail_sender.ledger.postgres import claims, migrations
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.gate import Gate
from mail_sender.ledger.postgres.migrations import UNFINISHED
from mail_sender.ledger.postgres.statement import Rows, Statement, asked
from mail_sender.ledger.postgres.target import Target
from mail_sender.ledger.state_folder import BusyLedger

_NOBODY = UUID(int=0)
_LIVING = f"SELECT name FROM replica WHERE {claims.is_seen()}"
_OF_A_DELIVERY = {
    "mailbox": "mailbox",
    "replica": "CASE WHEN state = 'processing' THEN %(nobody)s::uuid END",
    "lease_until": "CASE WHEN state = 'processing' THEN '-infinity'::timestamptz END",
}
_TWO_IN_FLIGHT = "SELECT 1 FROM delivery WHERE mailbox = ANY(%(mailboxes)s::text[]) AND state = 'processing' LIMIT 1"


class DatabaseLedger:
    """A ledger in PostgreSQL; `opened` gives one."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self.place = database.target.place
        self._database = database
        self._gate = gate

    async def rows(self, table: Table, after: Key | None, most: int) -> Sequence[Row]:
        """Return the rows that come after one."""
        key = _in_order(table)
        condition = "" if after is None else f"WHERE {key} > %(after)s"
        select = f"SELECT {table.listed} FROM {table.name} {condition} ORDER BY {key} LIMIT %(most)s"
        return [of(table, row) for row in await self._read(select, after=after, most=most)]

    async def count(self, table: Table) -> int:
        """Return how many rows there are."""
        (((count,),)) = await self._read(f"SELECT count(*) FROM {table.name}")
        return int(count)

    async def last(self, table: Table) -> Key | None:
        """Return the key of the last row."""
        found = await self._read(f"SELECT {table.key} FROM {table.name} ORDER BY {_in_order(table)} DESC LIMIT 1")
        return found[0][0] if found else None

    async def see_alone(self) -> None:
        """See that the gate is closed, and that no replica is there."""
        await self._gate.see()
        if living := await self._read(_LIVING):
            names = ", ".join(sorted({name for (name,) in living}))
            raise BusyLedger(
                f"a sender on {names} uses the ledger in {self.place}: stop it (one that was killed counts for "
                f"{claims.LEASE:.0f} s), then start the copy again"
            )

    async def begun_from(self) -> str | None:
        """Return of which ledger this one is an unfinished copy."""
        ((is_unfinished,),) = await self._read(f"SELECT to_regclass('{UNFINISHED}') IS NOT NULL")
        if not is_unfinished:
            return None
        ((place,),) = await self._read(f"SELECT place FROM {UNFINISHED}")
        return str(place)

    async def begin(self, source: str) -> None:
        """Mark it as an unfinished copy."""
        await self._write(
            Statement(f"CREATE TABLE {UNFINISHED} (place text NOT NULL)"),
            Statement(f"INSERT INTO {UNFINISHED} (place) VALUES (%(place)s)", {"place": source}),
        )

    async def write(self, table: Table, some: Sequence[Row]) -> None:
        """Write rows."""
        values: dict[str, Any] = {**to_database(table, some), "nobody": _NOBODY}
        others = _OF_A_DELIVERY if table is DELIVERY else {}
        if others:
            await self._see_one_in_flight(values)
        kinds = {**table.columns, **({"mailbox": "text"} if others else {})}
        select = ", ".join([*table.columns, *others.values()])
        into = ", ".join([*table.columns, *others])
        insert = f"INSERT INTO {table.name} ({into}) SELECT {select} FROM {asked(**kinds)}"
        await self._write(Statement(insert, values))

    async def empty(self) -> None:
        """Drop all that was copied."""
        await self._write(Statement(f"TRUNCATE {', '.join(table.name for table in TABLES)} CASCADE"))

    async def reopen(self) -> None:
        """Do nothing: what is read has been committed by the server."""

    async def finish(self) -> None:
        """Take the mark away; what is numbered from here on follows what was copied."""
        numbered = [
            Statement(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{table.key}'), "
                f"coalesce(max({table.key}), 1), max({table.key}) IS NOT NULL) FROM {table.name}"
            )
            for table in TABLES
            if table.columns[table.key] == "bigint"
        ]
        await self._write(*numbered, Statement(f"DROP TABLE {UNFINISHED}"))

    async def _see_one_in_flight(self, values: dict[str, Any]) -> None:
        each = zip(values["mailbox"], values["state"], strict=True)
        processing = [mailbox for mailbox, state in each if state == "processing"]
        is_twice = len(set(processing)) < len(processing)
        if processing and (is_twice or await self._read(_TWO_IN_FLIGHT, mailboxes=processing)):
            detail = f"{self.place}: two mails to one mailbox were in flight in the ledger that is copied"
            raise LedgerFault("two_in_flight", detail, "start mail-sender on that one once, and stop it")

    async def _read(self, text: str, **values: object) -> Rows:
        (found,) = await self._database.read([Statement(text, values)])
        return found

    async def _write(self, *statements: Statement) -> None:
        await self._database.run(statements)


def _in_order(table: Table) -> str:
    """Return the key as the file's order has it, whatever the database's own order of text is."""
    return f'{table.key} COLLATE "C"' if table.columns[table.key] == "text" else table.key


@asynccontextmanager
async def opened(target: Target, *, reads_only: bool) -> AsyncIterator[DatabaseLedger]:
    """Open a ledger, whose tables are made if there are none; or one that is only read. Raises `LedgerFault`."""
    gate = await Gate.close(target)
    try:
        database = Database(target, reads_only=reads_only)
        try:
            await migrations.prepare(database, reads_only=reads_only, copies=not reads_only)
            yield DatabaseLedger(database, gate)
        finally:
            await database.close()
    finally:
        await gate.open()
