"""The source of a dry run: the queue is read, and no message is ever marked."""

from uuid import UUID

from mail_sender.source.kanidm import KanidmSource


class DryRunSource(KanidmSource):
    """A server of which only the reading part is used."""

    async def mark_sent(self, message: UUID) -> None:
        """Do nothing."""
