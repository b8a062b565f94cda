"""The ledger of a dry run: it names no message to mark, so that what was sent stays unmarked on the server.

It is kept in memory. The server goes on listing those messages. They are known here, so no mail is made of them
twice, and nobody is taken to have un-sent them.
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
