"""The ledger of a dry run: it names no message to mark, so that what was sent stays unmarked on the server.

This ledger is kept in memory. The server still lists the messages, but the ledger knows them, so each is mailed only
once, and none counts as un-sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from mail_sender.ledger.base import Attempt, Delivery, Outcome
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.summary import Summary


class DryRunLedger(SqliteLedger):
    """A ledger that names no message to mark."""

    async def settle(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> bool:
        """Write what became of a delivery, after which nothing is to be marked either."""
        await super().settle(delivery, outcome, now, attempt)
        return False

    async def unmarked(self, now: datetime, limit: int | None = None) -> Sequence[UUID]:
        """Return none, whatever was sent."""
        return ()

    async def summary(self, now: datetime) -> Summary:
        """Return the same as for any ledger, with nothing to be marked."""
        return replace(await super().summary(now), unmarked=0)
