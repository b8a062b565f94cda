"""A ledger that several replicas share, from its configuration. psycopg is loaded only here, and only for it."""

from typing import TYPE_CHECKING

from mail_sender.errors import Exit, LedgerFault, MailSenderError
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.config import LedgerConfig

if TYPE_CHECKING:
    from mail_sender.ledger.postgres.target import Target

TO_BE_MENDED = frozenset({"newer", "older", "foreign", "encoding", "too_old", "not_allowed", "unfinished"})
"""The kinds of faults that no waiting mends."""


class NoDriver(Exception):
    """psycopg is not installed; the message says so."""


class NoSharedLedger(MailSenderError):
    """The database cannot be used, for now or as it is."""

    def __init__(self, fault: LedgerFault) -> None:
        super().__init__(str(fault))
        self.kind = fault.kind
        self.exit_code = Exit.BAD_CONFIG if fault.kind in TO_BE_MENDED else Exit.TEMPORARY


def target_of(config: LedgerConfig) -> "Target":
    """Return the database that a configuration names. Raises `NoDriver`, and `BadUrl`, which does not quote it."""
    try:
        from mail_sender.ledger.postgres import target  # noqa: PLC0415 - see the module's text
    except ImportError as error:
        raise NoDriver(f"needs psycopg, which cannot be loaded ({error})") from None
    return target.of(
        config.url.get_secret_value() if config.url else "",
        config.password.get_secret_value() if config.password else None,
        str(config.ca_path) if config.ca_path else None,
    )


async def open_ledger(config: LedgerConfig, *, reads_only: bool = False, joins: bool = True) -> Ledger:
    """Open the ledger in the database; one that does not join is no replica. Raises `NoSharedLedger`."""
    from mail_sender.ledger.postgres.ledger import PostgresLedger  # noqa: PLC0415 - see the module's text

    try:
        return await PostgresLedger.open(target_of(config), reads_only=reads_only, joins=joins)
    except LedgerFault as fault:
        raise NoSharedLedger(fault) from None
