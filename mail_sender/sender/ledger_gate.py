"""The ledger gate: what the flow does while the ledger cannot be written.

1. A fault of the ledger closes the gate for a few seconds: no attempt begins meanwhile. Attempts in flight go on.
2. If the ledger cannot write an outcome that cannot be found out again, the outcome is kept in memory, and offered
   again before anything new begins, and for a few seconds at a stop. If the mail was sent and its message has no
   other recipient, the message is marked on the server meanwhile.
3. A fault may leave a claim in the ledger that no attempt works on. Such claims are searched when the ledger answers
   again, and at the start of the process; of a ledger that is shared, every few seconds. A mail before its dot is
   queued again and not counted; a mail at its dot may have arrived.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mail_sender.backoff import LAST_WRITES, LEDGER_WAIT, OTHERS_ENDED
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.states import ChangedMeanwhile
from mail_sender.sender import attempt_end
from mail_sender.sender.acknowledge import Acknowledger
from mail_sender.sender.attempt_end import End
from mail_sender.sender.observation import Committed
from mail_sender.sender.parts import Parts


class LedgerGate:
    """Closed for a while after the ledger failed. Everything that an attempt ends with is recorded through it."""

    def __init__(self, parts: Parts, acknowledger: Acknowledger, clock: Clock) -> None:
        self._parts = parts
        self._acknowledger = acknowledger
        self._clock = clock
        self._closed_until = self._recovered_at = float("-inf")

    @property
    def closed_for(self) -> float:
        """The seconds for which no attempt is to begin; 0 if the gate is open."""
        return max(0.0, self._closed_until - self._clock.monotonic())

    def close(self, fault: LedgerFault) -> None:
        """Take in that the ledger failed."""
        self._parts.in_flight.needs_recovery = True
        self._closed_until = self._clock.monotonic() + LEDGER_WAIT
        self._parts.conditions.ledger.down(fault.kind, fault.detail, fault.advice, self._clock.now())

    def works(self) -> None:
        """Take in that the ledger was written."""
        self._parts.conditions.ledger.up(self._clock.now())

    @contextmanager
    def measured(self, what: str) -> Iterator[None]:
        """Let those who watch know how long a commit takes: of a `dot` or an `outcome`."""
        began = self._clock.monotonic()
        yield
        self._parts.observe(Committed(what, self._clock.monotonic() - began))

    async def record(self, ended: End) -> None:
        """Write what an attempt ended with, and report it; nothing is raised for a ledger that fails.

        If the delivery was changed meanwhile (an operator was faster), that stays and nothing is reported.
        """
        try:
            await self._write(ended)
        except ChangedMeanwhile:
            pass
        except LedgerFault as fault:
            self.close(fault)
            if ended.is_kept:
                self._parts.in_flight.unwritten.append(ended)
            if ended.completes_message:
                self._acknowledger.mark_unrecorded(ended.delivery.message)

    async def catch_up(self) -> None:
        """Offer the ledger what it did not take. Raises `LedgerFault` while it still does not take it."""
        async with self._parts.in_flight.writing:
            while unwritten := self._parts.in_flight.unwritten:
                # If it was written after all, and only the answer was lost, it has changed meanwhile.
                with suppress(ChangedMeanwhile):
                    await self._write(unwritten[0])
                unwritten.pop(0)

    async def finish(self) -> None:
        """Offer the ledger what it did not take, for a few seconds more: the process ends, and forgets it."""
        until = self._clock.monotonic() + LAST_WRITES
        while True:
            try:
                return await self.catch_up()
            except LedgerFault as fault:
                self.close(fault)
                if self._clock.monotonic() >= until:
                    return None
                await self._clock.wait(asyncio.Event(), LAST_WRITES / 10)

    async def recover(self) -> None:
        """Settle what was begun and nobody works on any more, where there may be such. Raises `LedgerFault`."""
        since = self._clock.monotonic() - self._recovered_at
        if not self._parts.in_flight.needs_recovery and since < self.looks_again_after:
            return
        self._recovered_at = self._clock.monotonic()
        self._parts.in_flight.needs_recovery = False  # now: a fault during this makes another recovery necessary
        ours = self._parts.in_flight.keys  # before the answer comes, some of it may have ended
        for delivery in await self._parts.ledger.interrupted():
            if delivery.key not in ours:
                with suppress(ChangedMeanwhile):
                    await self._write(attempt_end.interrupted(delivery, self._clock.now()))

    @property
    def looks_again_after(self) -> float:
        """The seconds after which it is looked again for what another process has left behind."""
        return OTHERS_ENDED if self._parts.ledger.is_shared else float("inf")

    async def _write(self, ended: End) -> None:
        with self.measured("outcome"):
            is_unmarked = await self._parts.ledger.settle(
                ended.delivery, ended.outcome, self._clock.now(), ended.attempt
            )
        if is_unmarked:
            self._acknowledger.mark(ended.delivery.message)
        self._parts.observe(ended.recorded(self._clock.now()))
        ended.report()
