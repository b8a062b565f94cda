"""The keeper: has what was alerted read once and written when it has changed, and waits for no disk that hangs."""

import asyncio

import structlog

from mail_sender.errors import MailSenderError
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.observe.alerts import memory
from mail_sender.observe.alerts.memory import Kept

PATIENCE = 5.0
"""Seconds that the disk has; alerts are more urgent than to remember them."""

_log = structlog.get_logger()


class Keeper:
    """Reads and writes the file of a state folder; without one nothing is kept."""

    def __init__(self, state: StateFolder | None) -> None:
        self._state = state
        self._mark: object = memory.mark(Kept())
        self._writing: asyncio.Future[None] | None = None
        self._is_failing = False

    async def load(self) -> Kept:
        """Return what was kept."""
        kept = await asyncio.to_thread(memory.load, self._state)
        self._mark = memory.mark(kept)
        return kept

    async def save(self, kept: Kept) -> None:
        """Write it, if it has changed. That it cannot be written is logged once."""
        mark = memory.mark(kept)
        if self._state is None or mark == self._mark or (self._writing and not self._writing.done()):
            return
        self._writing = asyncio.ensure_future(asyncio.to_thread(memory.save, self._state, kept))
        await asyncio.wait({self._writing}, timeout=PATIENCE)
        if not self._writing.done():
            self._failed(self._state, "the disk does not answer")
            return
        try:
            self._writing.result()
        except (OSError, MailSenderError) as error:
            self._failed(self._state, getattr(error, "strerror", None) or str(error))
        else:
            self._mark, self._is_failing = mark, False

    def _failed(self, state: StateFolder, reason: str) -> None:
        if not self._is_failing:
            text = f"{state.alerts} cannot be written ({reason}): a restart may repeat an alert"
            _log.warning("alerts_unsaved", message=text)
        self._is_failing = True
