"""The tables of the ledger in the database: made, brought up to date, or refused.

1. A server that is too old, a database that does not keep Unicode, a standby, a schema of somebody else, and tables
   of a newer mail-sender are refused, and nothing is changed.
2. The numbered files in `schema` make the tables, in a schema of their own. Each is run in a transaction that first
   takes the advisory lock, and writes its number before all else: of several replicas that start together, one runs
   it, and the others find the number there. The lock ends with the transaction, so that PgBouncer does not matter.
3. A ledger that is just being copied (`gate`), and an unfinished copy, are no ledgers to anybody but the copy itself.
"""

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from mail_sender.errors import LedgerFault
from mail_sender.ledger.postgres import faults, gate
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.statement import Statement
from mail_sender.ledger.postgres.target import Target

_SCRIPTS = [
    [part for part in re.split(r";$", file.read_text(), flags=re.MULTILINE) if part.strip()]
    for file in sorted(Path(__file__).with_name("schema").glob("*.sql"))
]
_OLDEST = 130000
_SECONDS = 600.0  # for one step: an index on a long table takes its time
_LOCK = 0x6D61696C  # "mail", as in the header of the ledger's file

UNFINISHED = "unfinished_copy"
"""The table that makes a ledger an unfinished copy (`copying`)."""

_STATE = f"""
    SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_is_in_recovery(),
        to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL,
        coalesce((SELECT bool_or(relname = 'version') FROM pg_catalog.pg_class
            WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relkind = 'r'), false),
        EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s))),
        EXISTS (SELECT FROM pg_catalog.pg_class
            WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relname = '{UNFINISHED}'),
        CASE WHEN %(looks)s THEN {gate.IS_OPEN} ELSE true END
    """
_VERSION = "SELECT coalesce(max(number), 0) FROM version"
_WAIT = (
    "SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true), "
    "pg_advisory_xact_lock(%(lock)s::int, hashtext(%(schema)s))"
)
_TABLE = "CREATE TABLE IF NOT EXISTS version (number integer PRIMARY KEY)"
_INSERT = "INSERT INTO version (number) VALUES (%(number)s)"


async def prepare(database: Database, *, reads_only: bool = False, copies: bool = False, makes: bool = True) -> None:
    """Make the tables, or bring them up to date; unless it `makes` any, see that they are. Raises `LedgerFault`.

    Whoever `copies` holds the gate, may go on with an unfinished copy, and brings no tables up to date.
    """
    target = database.target
    values = {**gate.values(target.schema), "looks": not (reads_only or copies)}
    ((state, *_),) = await database.read([Statement(_STATE, values)])
    *found, is_unfinished, is_open = state
    if not is_open:
        raise gate.closed(target.place)
    if is_unfinished and not copies:
        detail = f"{target.place}: the ledger is a copy, and not finished"
        raise LedgerFault("unfinished", detail, "run the same `mail-sender ledger copy` again: it goes on")
    has_schema, has_version = _checked(tuple(found), target, reads_only=reads_only)
    version = await _version(database) if has_version else 0
    if version > len(_SCRIPTS):
        detail = f"{target.place}: the ledger was written by a newer mail-sender (schema {version})"
        raise LedgerFault("newer", detail, "run that version or a newer one")
    if version < len(_SCRIPTS) and (reads_only or not makes):
        detail = f"{target.place}: there is no ledger yet, or one of an older mail-sender"
        raise LedgerFault("older", detail, "start mail-sender once: it makes the tables")
    if copies and 0 < version < len(_SCRIPTS):
        detail = f"{target.place}: the ledger was written by an older mail-sender (schema {version})"
        raise LedgerFault("older", detail, "start this version on it once: it brings the tables up to date")
    while version < len(_SCRIPTS):
        await _step(database, version + 1, make_schema=not has_schema)
        version, has_schema = await _version(database), True


async def _version(database: Database) -> int:
    (((version,),),) = await database.read([Statement(_VERSION)])
    return int(version)


def _checked(state: tuple[Any, ...], target: Target, *, reads_only: bool) -> tuple[bool, bool]:
    server, encoding, is_standby, has_schema, has_version, has_tables = state
    if server < _OLDEST:
        detail = f"{target.place}: PostgreSQL {server // 10000} is too old"
        raise LedgerFault("too_old", detail, "use PostgreSQL 13 or newer")
    if encoding != "UTF8":
        detail = f"{target.place}: the database keeps text as {encoding}"
        raise LedgerFault("encoding", detail, "create one with ENCODING 'UTF8'")
    if is_standby and not reads_only:
        raise faults.of(errors.ReadOnlySqlTransaction(), target.place)
    if has_tables and not has_version:
        detail = f"{target.place}: the schema {target.schema} belongs to another program"
        raise LedgerFault("foreign", detail, "name another database")
    return has_schema, has_version


async def _step(database: Database, number: int, *, make_schema: bool) -> None:
    schema = database.target.schema
    create = [Statement(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')] if make_schema else []
    statements = [
        Statement(_WAIT, {"lock": _LOCK, "schema": schema}),
        *create,
        Statement(_TABLE),
        Statement(_INSERT, {"number": number}),
        *(Statement(part) for part in _SCRIPTS[number - 1]),
    ]
    async with database.connection() as connection:
        try:
            await connection.run(statements, seconds=_SECONDS)
        except (errors.UniqueViolation, errors.DuplicateTable):
            pass  # another replica was faster
        except psycopg.Error as error:
            raise faults.of(error, database.target.place) from error
