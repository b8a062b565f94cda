"""A ledger that this process opens itself, because no sender answers here.

1. A command that only reads changes nothing in it.
2. Whoever opens a folder's ledger has its lock. For a command that changes something, what a killed sender left in
   flight is settled first, as a sender does it at its start: nobody sends it any more.
3. A ledger in a database has no lock. Senders may run elsewhere, and what they have in flight is theirs; so is what
   one of them left. Where none lives, what one has given back is settled, and no more: of a claim that ran out, who
   has it may live, and have lost the database for a while.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from mail_sender.clock import SteadyClock
from mail_sender.control.command import Command
from mail_sender.control.handler import Handler, Lines
from mail_sender.control.response import ResponseLine
from mail_sender.errors import LedgerFault
from mail_sender.ledger import database, state_folder
from mail_sender.ledger.base import Fenced, Ledger
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.observe.ledger_alone import LedgerAlone
from mail_sender.relay.resolver import ResolvingLoop
from mail_sender.source.base import Source

_AT_ONCE = 100


class LocalAccess:
    """A handler on a ledger of our own opening, with an event loop to run it; `shared` names one in a database."""

    def __init__(
        self,
        state: StateFolder,
        source: Source | None,
        *,
        reads_only: bool,
        shared: LedgerConfig | None = None,
    ) -> None:
        self._state = state
        self._shared = shared
        self._reads_only = reads_only
        self._source = source
        self._runner = asyncio.Runner(loop_factory=ResolvingLoop)
        self._ledger: Ledger | None = None

    def open(self) -> None:
        """Open the ledger. Raises `MailSenderError`."""
        clock = SteadyClock()
        self._ledger = self._runner.run(self._opened())
        if not self._reads_only:
            self._runner.run(settle_interrupted(self._ledger, clock.now()))
        self._handler = Handler(
            self._ledger, self._source, clock, reporter=LedgerAlone(self._ledger, self._state, clock, self._shared)
        )

    def answer(self, command: Command) -> Iterator[ResponseLine]:
        """Yield the lines of the response."""
        lines = self._handler.answer(command)
        while some := self._runner.run(_some(lines)):
            yield from some

    def close(self) -> None:
        """Close ledger and source, whatever is being done with them."""
        self._runner.run(self._close())
        self._runner.close()

    async def _opened(self) -> Ledger:
        if self._shared is not None:
            return await database.open_ledger(self._shared, reads_only=self._reads_only, joins=False)
        return await state_folder.open_ledger(self._state, reads_only=self._reads_only)

    async def _close(self) -> None:
        if self._ledger is not None:
            await self._ledger.close()
        if self._source is not None:
            await self._source.close()


async def _some(lines: Lines) -> list[ResponseLine]:
    """Return the next few lines, or none at the end: to enter the loop costs more than a line."""
    found: list[ResponseLine] = []
    while len(found) < _AT_ONCE and (line := await anext(lines, None)) is not None:
        found.append(line)
    return found


async def settle_interrupted(ledger: Ledger, now: datetime) -> None:
    """Settle what nobody works on any more; what a living replica may take over is left to it."""
    with suppress(LedgerFault, Fenced):  # the command will meet a fault as well, and say it
        if ledger.replicas and await ledger.replicas.read():
            return
        for delivery in await ledger.interrupted():
            from mail_sender.sender import attempt_end  # noqa: PLC0415 - rarely needed, and slow to import

            end = attempt_end.interrupted(delivery, now)
            await ledger.settle(delivery, end.outcome, now, end.attempt)
