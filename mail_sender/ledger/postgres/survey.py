"""A survey of the server, for `doctor`: its clock, how many connections it takes, and whether news comes through."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from mail_sender.ledger.postgres import database, faults, listening
from mail_sender.ledger.postgres.connection import Connection
from mail_sender.ledger.postgres.statement import Statement
from mail_sender.ledger.postgres.target import Target

PER_SENDER = database.MOST + 1
"""Connections that one sender takes at most; one of them listens."""
_ASKED = """
    SELECT clock_timestamp(), current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
    """


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: by how much the server's clock is ahead of ours, to within half a round trip.

    `most_connections` is how many it takes at once from all ordinary roles, None where a pooler stands before it.
    `has_news` says that notifications come through.
    """

    ahead: timedelta
    most_connections: int | None
    has_news: bool


async def survey(target: Target) -> Survey:
    """Ask the server. Raises `LedgerFault`."""
    connection = await Connection.connect(target)

    async def do(statement: Statement) -> None:
        await connection.run([statement], reads=True)

    try:
        before = datetime.now(UTC)
        (((clock, most),),) = await connection.run([Statement(_ASKED)], reads=True)
        middle = before + (datetime.now(UTC) - before) / 2
        has_news = await listening.comes_through(target, do)
    except psycopg.Error as error:
        raise faults.of(error, target.place) from error
    finally:
        await connection.close()
    return Survey(clock - middle, most if connection.is_direct else None, has_news)
