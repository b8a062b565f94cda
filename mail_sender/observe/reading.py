"""What is read from the ledger once in a while, however many ask for it, and waited for only so long.

A disk that hangs must not hold up those who ask, nor fill the process with threads that wait for it: there is
one reading at a time, and all who ask wait for it together.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault

FRESH_SECONDS = 2.0
"""Seconds for which it is not read again."""
LEDGER_SECONDS = 3.0
"""Seconds for which it is waited for: whoever asks waits for 5."""

_Value = TypeVar("_Value")


class Reading(Generic[_Value]):
    """Something of the ledger; `read` reads it."""

    def __init__(self, read: Callable[[], Awaitable[_Value]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._running: asyncio.Future[None] | None = None
        self._read_at = float("-inf")
        self._found: _Value | LedgerFault = LedgerFault("slow", "it was not read yet", "try again in a moment")

    async def value(self) -> _Value:
        """Return what was read last. Raises `LedgerFault` if it could not be read, or not in time."""
        if self._running is None and self._clock.monotonic() - self._read_at >= FRESH_SECONDS:
            self._running = asyncio.ensure_future(self._read_once())
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=LEDGER_SECONDS)
        if self._running is not None:
            detail = f"it was not read within {LEDGER_SECONDS:g} s"
            raise LedgerFault("slow", detail, "check the disk: it may hang, or be very busy")
        if isinstance(self._found, LedgerFault):
            raise self._found.with_traceback(None)
        return self._found

    async def _read_once(self) -> None:
        try:
            self._found = await self._read()
        except LedgerFault as fault:
            self._found = fault
        finally:
            self._read_at = self._clock.monotonic()
            self._running = None
