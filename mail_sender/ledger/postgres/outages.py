"""Outages of relays in the database: a row for each relay, on which all that is told of it meets.

An exchange is one transaction. What is only read needs no more than one statement. The row is locked by whoever
writes it, so that of several who ask at the same moment one gets the permission. It ends with its replica, too: what
has died, or was stopped, holds the others up no longer than its other claims.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from mail_sender.ledger.outages import TRIED_WITHIN, Heard, Outage, Report
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.claims import NOW
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.statement import Statement, asked

_KEPT = "7 days"

_IS_OURS = "r.tried_by = %(replica)s"
_MEANWHILE = f"r.wait IS NOT NULL AND ({_IS_OURS}) IS NOT TRUE"  # others have told of it, and it was not our turn
_DOWN = f"""
    INSERT INTO relay AS r (name, wait, failed_at, retry_at, stage, detail, advice, reported_at)
    VALUES (%(relay)s, %(wait)s, {NOW}, {NOW} + make_interval(secs => %(retry_in)s), %(stage)s, %(detail)s,
        %(advice)s, {NOW})
    ON CONFLICT (name) DO UPDATE SET
        wait = CASE WHEN {_MEANWHILE} THEN greatest(r.wait, excluded.wait) ELSE excluded.wait END,
        retry_at = CASE WHEN {_MEANWHILE} THEN greatest(r.retry_at, excluded.retry_at) ELSE excluded.retry_at END,
        failed_at = excluded.failed_at, stage = excluded.stage, detail = excluded.detail, advice = excluded.advice,
        tried_by = CASE WHEN {_IS_OURS} THEN NULL ELSE r.tried_by END, reported_at = excluded.reported_at
    """
_WORKS = f"""
    INSERT INTO relay (name, worked_at, reported_at) VALUES (%(relay)s, {NOW}, {NOW})
    ON CONFLICT (name) DO UPDATE SET wait = NULL, failed_at = NULL, retry_at = NULL, tried_by = NULL,
        worked_at = excluded.worked_at, reported_at = excluded.reported_at
    """
_GIVES_BACK = f"UPDATE relay r SET tried_by = NULL WHERE name = %(relay)s AND {_IS_OURS}"
# A clock that was set back has written times that are still to come: they end as late as the waits allow.
_IS_GONE = f"NOT EXISTS (SELECT FROM replica WHERE id = r.tried_by AND {claims.is_seen()})"
_IS_FREE = (
    f"(r.tried_by IS NULL OR {_IS_GONE} "
    f"OR r.try_until NOT BETWEEN {NOW} AND {NOW} + make_interval(secs => {TRIED_WITHIN}))"
)
_IS_TIME = (
    f"(r.wait IS NULL OR r.retry_at <= {NOW} OR r.failed_at > {NOW} "
    f"OR r.failed_at <= {NOW} - make_interval(secs => %(after)s::double precision))"
)
_ASKS = f"""
    INSERT INTO relay AS r (name, tried_by, try_until, reported_at)
    VALUES (%(relay)s, %(replica)s, {NOW} + make_interval(secs => {TRIED_WITHIN}), {NOW})
    ON CONFLICT (name) DO UPDATE SET tried_by = excluded.tried_by, try_until = excluded.try_until
    WHERE {_IS_FREE} AND {_IS_TIME}
    RETURNING true
    """
_OLD = f"DELETE FROM relay WHERE greatest(reported_at, worked_at, try_until) < {NOW} - interval '{_KEPT}'"
_SOONEST = f"least(retry_at, failed_at + make_interval(secs => asked.after)) - {NOW}"
_STANDS = f"""
    SELECT name, wait, greatest(0, extract(epoch FROM {_SOONEST}))::double precision, stage, detail, advice,
        extract(epoch FROM {NOW} - worked_at)::double precision,
        extract(epoch FROM {NOW} - failed_at)::double precision
    FROM {asked(relay="text", after="double precision")} JOIN relay ON name = asked.relay
    """


class PostgresOutages:
    """What one replica tells of relays, and hears of the others."""

    def __init__(self, database: Database, replica: UUID) -> None:
        self._database = database
        self._replica = replica

    async def exchange(self, reports: Sequence[Report]) -> Sequence[Heard]:
        """Take in what is told of each relay, and return how it stands then. Raises `LedgerFault`."""
        statements, asking = list[Statement](), dict[str, int]()
        for one in reports:
            values = {"relay": one.relay, "replica": self._replica}
            if one.outage is not None:
                statements += [Statement(_DOWN, {**values, **_columns(one.outage)}), Statement(_OLD)]
            elif one.works:
                statements.append(Statement(_WORKS, values))
            elif one.gives_back:
                statements.append(Statement(_GIVES_BACK, values))
            if one.asks:
                asking[one.relay] = len(statements)
                statements.append(Statement(_ASKS, {**values, "after": one.after}))
        names = {"relay": [one.relay for one in reports], "after": [one.after for one in reports]}
        statements.append(Statement(_STANDS, names))
        does = self._database.run if len(statements) > 1 else self._database.read
        found = await does(statements)
        granted = {relay for relay, number in asking.items() if found[number]}
        standing = {row[0]: row[1:] for row in found[-1]}
        return [_heard(standing.get(one.relay), may_try=one.relay in granted) for one in reports]


def _columns(outage: Outage) -> dict[str, object]:
    return {name: getattr(outage, name) for name in ("wait", "retry_in", "stage", "detail", "advice")}


def _heard(row: tuple[Any, ...] | None, *, may_try: bool) -> Heard:
    if row is None:
        return Heard(None, None, may_try)
    wait, retry_in, stage, detail, advice, worked_ago, failed_ago = row
    outage = None if wait is None else Outage(wait, retry_in, stage, detail, advice)
    return Heard(outage, worked_ago, may_try, failed_ago)
