"""Allowances in the database: a row for each second, or each day, in which mails were taken of a quota.

Taking is one transaction, in one round trip. An advisory lock, which ends with the transaction, has senders take one
after the other: each sees what the one before has taken.
"""

from collections.abc import Sequence

from mail_sender.ledger.allowances import Change, Quota, Taken
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.statement import Statement, asked

_LOCK_KEY = 0x6C696D74  # "limt", beside the lock of `migrations`

_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_KEY}, hashtext(current_schema()))"
_NOW = "floor(extract(epoch FROM statement_timestamp()))::bigint"
_QUOTAS = asked(name="text", most="bigint", span="bigint", step="bigint", known="bigint")
_SLOT = f"{_NOW} / asked.step * asked.step"
_BACK = f"""
    UPDATE allowance a SET mails = greatest(0, a.mails - back.mails) FROM (
        SELECT asked.name, back.at / asked.step * asked.step AS slot, sum(back.mails)::bigint AS mails
        FROM {_QUOTAS} CROSS JOIN unnest(%(back_at)s::bigint[], %(back)s::bigint[]) AS back (at, mails) GROUP BY 1, 2
    ) back WHERE a.name = back.name AND a.slot = back.slot
    """
_KNOWN = f"""
    INSERT INTO allowance (name, slot, mails) SELECT asked.name, {_SLOT}, asked.known FROM {_QUOTAS}
    WHERE asked.known > 0 ON CONFLICT DO NOTHING
    """
# What lies in the future was written by a clock that ran ahead: it does not count.
_TAKE = f"""
    WITH used AS (
        SELECT asked.name, asked.most, asked.span, {_SLOT} AS slot, coalesce(sum(a.mails), 0)::bigint AS mails,
            min(a.slot) AS oldest
        FROM {_QUOTAS} LEFT JOIN allowance a ON a.name = asked.name AND a.mails > 0
            AND a.slot > {_SLOT} - asked.span AND a.slot <= {_SLOT}
        GROUP BY asked.name, asked.most, asked.span, asked.step
    ), given AS (
        SELECT greatest(0, least(%(wanted)s::bigint, min(most - mails))) AS mails FROM used
    ), taken AS (
        INSERT INTO allowance (name, slot, mails)
        SELECT used.name, used.slot, given.mails + %(over)s::bigint FROM used CROSS JOIN given
        WHERE given.mails + %(over)s::bigint > 0
        ON CONFLICT (name, slot) DO UPDATE SET mails = allowance.mails + excluded.mails
    )
    SELECT used.name, given.mails, {_NOW}, used.mails + given.mails + %(over)s::bigint >= used.most,
        (coalesce(used.oldest, used.slot) + used.span - extract(epoch FROM statement_timestamp()))::double precision
    FROM used CROSS JOIN given
    """
_OLD = f"DELETE FROM allowance a USING {_QUOTAS} WHERE a.name = asked.name AND a.slot < {_SLOT} - 2 * asked.span"


class PostgresAllowances:
    """What the replicas of one database have taken."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, quotas: Sequence[Quota], wanted: int, change: Change) -> Taken:
        """Take at most so many mails as are wanted, after what has changed. Raises `LedgerFault`."""
        columns = {
            "name": [quota.name for quota in quotas],
            "most": [quota.most for quota in quotas],
            "span": [quota.seconds for quota in quotas],
            "step": [quota.seconds if quota.is_whole else 1 for quota in quotas],
            "known": [quota.known for quota in quotas],
        }
        back = {"back_at": [*change.back], "back": [*change.back.values()]}
        takes = Statement(_TAKE, {**columns, "wanted": wanted, "over": change.over})
        others = [Statement(_LOCK), Statement(_BACK, {**columns, **back}), Statement(_KNOWN, columns)]
        found = (await self._database.run([*others, takes, Statement(_OLD, columns)]))[-2]
        reached = {name: seconds for name, _, _, is_reached, seconds in found if is_reached}
        return Taken(min(row[1] for row in found), found[0][2], reached)
