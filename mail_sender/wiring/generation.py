"""A generation: what lives as long as one configuration. It may end beside the one that follows."""

import asyncio

from mail_sender.config.watch import Watch
from mail_sender.control.handler import Handler
from mail_sender.mail import digest
from mail_sender.observe import in_use
from mail_sender.sender.parts import Parts
from mail_sender.sender.worker import Worker
from mail_sender.wiring.ends import Ends
from mail_sender.wiring.lasting import Lasting

PATIENCE = 2.0
"""Seconds for attempts in flight to end, before the next generation begins beside them."""


class Generation:
    """What lives as long as one configuration: its source, its transport and its worker.

    Retired, the worker begins nothing new; its attempts in flight end beside the next generation.
    """

    def __init__(self, ends: Ends, lasting: Lasting) -> None:
        self._clock = lasting.clock
        self._observe = lasting.observers.observe
        self._source = ends.source
        parts = Parts(
            self._source,
            lasting.ledger,
            ends.relays(lasting.conditions.relay),
            lasting.in_flight,
            lasting.conditions,
            lasting.reported,
            self._observe,
            recent_mails=lasting.recent_mails,
            digest=_digest(ends) if lasting.ledger.is_shared else "",
        )
        self._worker = Worker(parts, ends.config.sender, ends.config.mail, lasting.clock)
        self._retired = asyncio.Event()
        lasting.reporter.in_use = in_use.of(ends.config.source, ends.config.relays, parts, self._worker)
        if lasting.control is not None:
            lasting.control.handler = Handler(
                lasting.ledger, self._source, lasting.clock, self._worker, lasting.reporter
            )

    async def run(self, workers: asyncio.TaskGroup, watch: Watch, stop: asyncio.Event) -> Ends | None:
        """Work until the configuration changes, and return the new one's; or to the end, and return None."""
        working = workers.create_task(self.work(self._retired))
        changing = asyncio.ensure_future(Ends.next(watch, self._clock, self._observe))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({working, changing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._retired.set()
            if not changing.done() or stop.is_set():
                workers.create_task(self._worker.let_another_poll())
                return None
            await asyncio.wait({working, stopping}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            self._worker.retire()
            return changing.result()
        finally:
            changing.cancel()
            stopping.cancel()

    async def work(self, stop: asyncio.Event) -> None:
        """Work until the stop event is set, or nothing is left to do."""
        try:
            await self._worker.run(stop)
        finally:
            await self._source.close()


def _digest(ends: Ends) -> str:
    return digest.of(ends.config.mail, [relay.place for relay in ends.config.relays])
