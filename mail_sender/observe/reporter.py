"""The reporter of a running sender: whoever asks gets its status or its health, made from what is known at that time.

The ledger is asked once in a while, however many ask here. If it cannot be read, or not in time, the status says so
and has the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mail_sender import log
from mail_sender.clock import Clock
from mail_sender.condition import Fault
from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Entry, Ledger, Query
from mail_sender.ledger.summary import Summary
from mail_sender.names.secret import Secret
from mail_sender.observe import compose
from mail_sender.observe.advisories import Advisories
from mail_sender.observe.compose import Seen, SeenSender
from mail_sender.observe.facts import Process
from mail_sender.observe.health import Health
from mail_sender.observe.in_use import InUse
from mail_sender.observe.observers import Observers
from mail_sender.observe.reading import Reading
from mail_sender.observe.status import LedgerStatus, Status
from mail_sender.sender.heartbeat import Late

MOST_LAST = 50
"""Deliveries that are shown as the last ones."""


class Reporter:
    """Makes status and health. `in_use` is replaced when the configuration changes.

    `secrets` are those that no fault may show, as no log may: whoever met it has cleaned it already.
    """

    def __init__(
        self, ledger: Ledger, observers: Observers, clock: Clock, ledger_status: Callable[[], LedgerStatus]
    ) -> None:
        self.in_use: InUse | None = None
        self.secrets: frozenset[Secret] = frozenset()
        self.advisories = Advisories(clock)
        self._observers = observers
        self._clock = clock
        self._ledger_status = ledger_status
        self._process = Process()
        self._replicas = ledger.replicas
        self._summary = Reading(lambda: ledger.summary(clock.now()), clock)
        self._last = Reading(lambda: ledger.find(Query(), MOST_LAST), clock)
        self._unreadable: Fault | None = None

    def late(self) -> list[Late]:
        """Return the loops that hang."""
        return self.in_use.parts.heartbeats.late() if self.in_use else []

    def health(self) -> Health:
        """Return the health; nothing has to be waited for."""
        relays = self.in_use.worker.relay_views() if self.in_use else ()
        return Health(self.late(), self._observers.activity.poll_was_good, relays)

    async def status(self) -> Status:
        """Return the status."""
        summary = await self._read_summary()
        facts = self.in_use.facts if self.in_use else None
        held_back = self.in_use.worker.held_back() if self.in_use else ()
        sender = SeenSender(self._process, self._observers.activity, self.health(), self._faults(), facts, held_back)
        known, ours = (self._replicas.known, self._replicas.id) if self._replicas else ((), None)
        return compose.status(Seen(self._ledger_status(), summary, sender, known, ours), self._clock.now())

    async def last(self) -> Sequence[Entry]:
        """Return the last deliveries that were taken up, the latest first; none if they cannot be read in time."""
        try:
            return await self._last.value()
        except LedgerFault:
            return ()

    def _faults(self) -> list[Fault]:
        faults = []
        if self.in_use is not None:
            skew = self.in_use.parts.reported.skew.fault
            faults = self.in_use.worker.faults() + ([skew] if skew else [])
        if self._unreadable is not None and not any(fault.name == "ledger" for fault in faults):
            faults.append(self._unreadable)
        clean = log.Redactor(self.secrets).text
        found = faults + self.advisories.faults
        return [replace(one, detail=clean(one.detail), advice=clean(one.advice)) for one in found]

    async def _read_summary(self) -> Summary | None:
        """Return the summary; None if it cannot be read, or not in time, which is a fault from then on."""
        try:
            summary = await self._summary.value()
        except LedgerFault as fault:
            since = self._unreadable.since if self._unreadable else self._clock.now()
            self._unreadable = Fault("ledger", fault.kind, since, fault.detail, fault.advice)
            return None
        self._unreadable = None
        return summary
