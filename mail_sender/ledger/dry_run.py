"""A ledger whose messages nobody is told of: what was sent stays sent and unmarked, as long as this runs.

A dry run keeps it in memory. The server goes on listing what was never marked there; it is known here, so nothing is
made of it twice, and nobody is taken to have un-sent it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from mail_sender.ledger.sqlite import SqliteLedger


class DryRunLedger(SqliteLedger):
    """A ledger that names no message to mark."""

    async def unmarked(self, now: datetime) -> Sequence[UUID]:
        """Return none, whatever was sent."""
        return ()
