"""The source of a dry run: the queue is read, and no message is ever marked."""

from datetime import datetime
from uuid import UUID

from mail_sender.message import Found, Listing
from mail_sender.source.base import Source, Standing


class DryRunSource:
    """Another source, of which only the reading part is used."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def standing(self) -> Standing:
        """Return who we are to the server."""
        return await self._source.standing()

    async def list_ready(self, now: datetime) -> Listing:
        """Return the messages that are to be sent, as the server lists them."""
        return await self._source.list_ready(now)

    async def read(self, message: UUID) -> Found:
        """Return one message, sent or not."""
        return await self._source.read(message)

    async def mark_sent(self, message: UUID) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Give the connections of the other source back."""
        await self._source.close()
