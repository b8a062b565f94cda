"""The gate: while a ledger is copied, no sender starts on it.

Whoever copies holds an advisory lock, in a transaction of a connection of its own that stays open: so it holds behind
PgBouncer, too, and ends with the process at the latest. A sender that starts looks whether the lock is free. It holds
no rows up, nor VACUUM.
"""

from contextlib import suppress
from typing import Any, Self

import psycopg

from mail_sender.errors import LedgerFault
from mail_sender.ledger.postgres import faults
from mail_sender.ledger.postgres.connection import dial
from mail_sender.ledger.postgres.target import Target

_LOCK = 0x636F7079  # "copy"
_SECONDS = 3
IS_OPEN = "pg_try_advisory_xact_lock_shared(%(gate)s::int, hashtext(%(schema)s))"
_CLOSE = (
    "SELECT set_config('idle_in_transaction_session_timeout', '0', true), "
    f"set_config('lock_timeout', '{_SECONDS}s', true), "
    "pg_advisory_xact_lock(%(gate)s::int, hashtext(%(schema)s))"
)


def values(schema: str) -> dict[str, object]:
    """Return what `IS_OPEN` binds."""
    return {"gate": _LOCK, "schema": schema}


def closed(place: str) -> LedgerFault:
    """Return why a sender cannot start."""
    return LedgerFault("copied", f"{place}: the ledger is just being copied", "wait until that copy has ended")


class Gate:
    """The gate of one ledger, which is held from `close` to `open`."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], place: str) -> None:
        self._connection = connection
        self._place = place

    @classmethod
    async def close(cls, target: Target) -> Self:
        """Close it. Raises `LedgerFault`, also if another copy holds it."""
        connection = await dial(target, autocommit=False)
        try:
            await connection.execute(_CLOSE, values(target.schema))
        except BaseException as error:
            await connection.close()
            if isinstance(error, psycopg.errors.LockNotAvailable):
                raise closed(target.place) from None
            if isinstance(error, psycopg.Error):
                raise faults.of(error, target.place) from None
            raise
        return cls(connection, target.place)

    async def see(self) -> None:
        """See that it is still closed. Raises `LedgerFault` if the connection broke."""
        try:
            await self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise faults.of(error, self._place) from None

    async def open(self) -> None:
        """Open it; who looks at it from here on finds it open."""
        with suppress(psycopg.Error):
            await self._connection.rollback()  # the server takes its time to see that a connection is closed
        await self._connection.close()
