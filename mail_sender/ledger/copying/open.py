"""Opens the two ledgers of a copy. psycopg is loaded only here, and only for a ledger in PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from mail_sender.ledger import database
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.copying import in_file
from mail_sender.ledger.copying.side import Side, Target
from mail_sender.ledger.state_folder import StateFolder

Where = StateFolder | LedgerConfig
"""Where a ledger is: its folder, or the configuration of its database."""


@asynccontextmanager
async def ledgers(source: Where, target: Where) -> AsyncIterator[tuple[Side, Target]]:
    """Open the old ledger, to be read, and the new one. Raises `MailSenderError` and `LedgerFault`."""
    async with AsyncExitStack() as opened:
        old: Side
        new: Target
        if isinstance(source, StateFolder):
            old = await opened.enter_async_context(in_file.source(source))
        else:
            old = await opened.enter_async_context(_in_database(source, reads_only=True))
        if isinstance(target, StateFolder):
            new = await opened.enter_async_context(in_file.target(target))
        else:
            new = await opened.enter_async_context(_in_database(target, reads_only=False))
        yield old, new


@asynccontextmanager
async def _in_database(config: LedgerConfig, *, reads_only: bool) -> AsyncIterator[Target]:
    from mail_sender.ledger.copying import in_database  # noqa: PLC0415 - see the module's text

    async with in_database.opened(database.target_of(config), reads_only=reads_only) as ledger:
        yield ledger
