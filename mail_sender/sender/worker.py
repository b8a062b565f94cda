"""The worker: three loops over one ledger, and the flow runs through them in one direction.

    poll:         server -> snapshot, ledger
    dispatch:     ledger -> relay -> ledger
    acknowledge:  ledger -> server

Where several replicas share the ledger, the first of them runs in one replica only, and rings the bells of all.

No loop waits for another: a relay that hangs does not keep the queue from being read, a server that hangs does not
keep mail from going out, and a mark that is late delays neither. They ring each other's bells.

At a stop the poller ends at once, the dispatcher when the attempts in flight have ended, and the acknowledger when it
has marked what they sent. Where no poll follows (the schedule is over, or there is none), the dispatcher first mails
what is due.
"""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from mail_sender.clock import Clock
from mail_sender.condition import Fault
from mail_sender.ledger.replicas import News
from mail_sender.mail.config import MailConfig
from mail_sender.sender.acknowledge import Acknowledger
from mail_sender.sender.attempt import Attempts
from mail_sender.sender.config import SenderConfig
from mail_sender.sender.dispatch import Dispatcher
from mail_sender.sender.gates import Gates
from mail_sender.sender.handover import Handover
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.ledger_gate import LedgerGate
from mail_sender.sender.parts import Parts
from mail_sender.sender.poll import Poller
from mail_sender.sender.relay_view import RelayView
from mail_sender.sender.reputation_gate import ReputationGate
from mail_sender.sender.shared_breakers import SharedBreakers
from mail_sender.sender.snapshot import Snapshot


class Worker:
    """The sender, from start to stop."""

    def __init__(self, parts: Parts, config: SenderConfig, mail: MailConfig, clock: Clock) -> None:
        self._parts = parts
        self._relays = parts.relays
        self._clock = clock
        self._snapshot = snapshot = Snapshot(parts.conditions)
        self._acknowledger = Acknowledger(parts, snapshot, clock)
        gate = LedgerGate(parts, self._acknowledger, clock)
        handover = Handover(parts, gate, config.retry, clock)
        attempts = Attempts(parts, snapshot, mail, gate, handover, clock)
        self._reputation_gate = ReputationGate(config.reputation, parts, clock)
        breakers = SharedBreakers(self._relays, parts.ledger.outages, clock)
        gates = Gates(gate, self._reputation_gate, breakers)
        self._dispatcher = Dispatcher(attempts, gates, parts, snapshot, clock)
        self._poller = Poller(parts, snapshot, config, clock, self._ring)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until the stop event is set, or no poll follows and what is due was tried."""
        with self._hearing:
            await self._loops(stop)
        await self._relays.close()

    @property
    def _hearing(self) -> AbstractContextManager[None]:
        replicas = self._parts.ledger.replicas
        return nullcontext() if replicas is None else replicas.hearing(self._hear)

    def _hear(self, news: News) -> None:
        match news:
            case News.QUEUE:
                self._snapshot.hear(self._clock.now())
                self._ring()
            case News.COMMAND:
                self.wake()
            case News.FLUSH:
                self.probe()
            case News.REPLICAS:  # who has gone may have left something behind
                self._look_at_others()
                self._poller.news.set()
                self._ring()

    def _look_at_others(self) -> None:
        if self._parts.ledger.replicas is not None:
            self._parts.reported.agreement.compare(self._parts.ledger.replicas.known)

    async def let_another_poll(self) -> None:
        """Give up polling for all replicas: this one ends."""
        await self._poller.role.give_up()

    async def _loops(self, stop: asyncio.Event) -> None:
        polled, dispatched = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as loops:
            dispatching = loops.create_task(self._dispatcher.run(stop, polled))
            loops.create_task(self._acknowledger.run(dispatched))
            await self._poller.run(stop)
            polled.set()
            self._ring()
            await dispatching
            dispatched.set()
            self._ring()

    def wake(self) -> None:
        """Read at once what is due and what is unmarked: an operator has changed it."""
        self._dispatcher.read_again()
        self._ring()

    def _ring(self) -> None:
        self._dispatcher.bell.set()
        self._acknowledger.bell.set()

    def probe(self) -> None:
        """Read what is due at once; where a breaker is open, let the next mail probe its relay."""
        self._relays.probe_now()
        self.wake()

    def faults(self) -> list[Fault]:
        """Return what is at fault now: the server, the relays, the ledger."""
        found = [*self._parts.conditions.faults, *self._relays.fallback_faults]
        stand_in = self._relays.stand_in(self._clock.monotonic())
        meanwhile = f"; mail goes through {stand_in} meanwhile" if stand_in else ""
        return [replace(one, detail=one.detail + meanwhile) if one.name == "relay" else one for one in found]

    def relay_views(self) -> tuple[RelayView, ...]:
        """Return what those who watch see of the relays, the first one first."""
        return self._relays.views(self._clock.monotonic())

    def held_back(self) -> tuple[HeldBack, ...]:
        """Return what the operator's limits hold back now."""
        return self._reputation_gate.held_back()

    def probes_in(self) -> float | None:
        """Return the seconds until the first relay's next probe; None if its breaker is closed, or it is probed."""
        return self.relay_views()[0].probe_in

    def retire(self) -> None:
        """Take in that another worker follows under another configuration: begin nothing new of what is logged."""
        self._relays.retire()
