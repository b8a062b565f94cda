"""What a ledger of either kind does for a copy: it is read in bundles, and the new one is written, too."""

from collections.abc import Sequence
from typing import Protocol

from mail_sender.errors import Exit, LedgerFault, MailSenderError
from mail_sender.ledger.copying.tables import Key, Row, Table
from mail_sender.ledger.database import TO_BE_MENDED


class NotCopied(MailSenderError):
    """The copy was not begun, or the new ledger is not the same as the old one."""


class Interrupted(MailSenderError):
    """A ledger failed in the midst, or cannot be used as it is."""

    def __init__(self, fault: LedgerFault) -> None:
        advice = fault.advice.partition("mail then goes on")[0].partition("mail goes on")[0].rstrip(":; ")
        advice = f"{advice}; " if advice and not advice.startswith("nothing") else ""
        is_lasting = fault.kind in _TO_BE_MENDED
        again = "then copy again" if is_lasting else "then start the same copy again: it goes on"
        super().__init__(f"{fault.detail}; {advice}{again}")
        self.exit_code = Exit.BAD_CONFIG if is_lasting else Exit.TEMPORARY


_TO_BE_MENDED = TO_BE_MENDED | {"two_in_flight", "SQLITE_CORRUPT", "SQLITE_NOTADB", "damaged"}


class Side(Protocol):
    """One of the two ledgers; `place` says where it is, for people and without a secret.

    Every call may raise `errors.LedgerFault`.
    """

    place: str

    async def rows(self, table: Table, after: Key | None, most: int) -> Sequence[Row]:
        """Return at most so many rows, in the order of their keys: those that come after one, or the first ones."""

    async def count(self, table: Table) -> int:
        """Return how many rows there are."""

    async def see_alone(self) -> None:
        """See that no sender uses the ledger. Raises `BusyLedger`."""


class Target(Side, Protocol):
    """The new ledger."""

    async def begun_from(self) -> str | None:
        """Return the place of the ledger of which this one is an unfinished copy, if it is one."""

    async def last(self, table: Table) -> Key | None:
        """Return the key of the last row."""

    async def begin(self, source: str) -> None:
        """Mark it as an unfinished copy of the ledger at that place."""

    async def write(self, table: Table, some: Sequence[Row]) -> None:
        """Write rows, all or none."""

    async def empty(self) -> None:
        """Drop all that was copied."""

    async def reopen(self) -> None:
        """Have all that is read from here on read from the disk."""

    async def finish(self) -> None:
        """Take the mark away: from here on a sender may use it."""
