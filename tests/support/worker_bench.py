"""A whole worker on a bench: the real ledger, a scripted server, a scripted relay, and time that is made up.

Whatever a test does, at its end no address has ever had two mails in flight, there were never more than four to each
relay under each configuration, and no relay was handed a mail that another one had, or may have had.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, cast

from structlog.testing import capture_logs

from mail_sender.condition import Condition, Conditions
from mail_sender.errors import LedgerFault
from mail_sender.ledger.allowances import Allowances
from mail_sender.ledger.base import Delivery, Entry, Ledger, Outcome, Query
from mail_sender.ledger.outages import Outages
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.mail.config import MailConfig
from mail_sender.message import Message, OddEntry
from mail_sender.sender.config import ReputationConfig, RetryConfig, SenderConfig
from mail_sender.sender.heartbeat import Heartbeats
from mail_sender.sender.in_flight import InFlight
from mail_sender.sender.observation import Observation
from mail_sender.sender.parts import Parts
from mail_sender.sender.recent_mails import RecentMails
from mail_sender.sender.relays import Relay, Relays
from mail_sender.sender.reported import Reported
from mail_sender.sender.schedule import Schedule
from mail_sender.sender.worker import Worker
from tests.support.fake_clock import FakeClock
from tests.support.memory_source import MemorySource
from tests.support.recording_transport import RecordingTransport
from tests.support.samples import LATER, MAIL, NOW
from tests.support.virtual_time import VirtualLoop

MOST_IN_FLIGHT = 4
PLACE = "relay.example.com:465"
FALLBACKS = ("second.example.net:465", "third.example.org:587")
AFTER = 30.0
"""Seconds for which the first relay must be down before a fallback carries its mail."""
RETRY = RetryConfig()
UNLIMITED = ReputationConfig()


class Bench:
    """A worker and all that it reaches, with what it said. Entered, it has a ledger; `run` starts the worker."""

    def __init__(
        self,
        messages: Iterable[Message],
        odd: Iterable[OddEntry] = (),
        *,
        schedule: str | None = "*/5 * * * * *",
        retry: RetryConfig = RETRY,
        off: timedelta = timedelta(0),
        reputation: ReputationConfig = UNLIMITED,
        fallbacks: int = 0,
    ) -> None:
        self.source = MemorySource(messages, odd)
        self.transport = RecordingTransport()
        self.fallbacks = [RecordingTransport() for _ in range(fallbacks)]
        self.mail: MailConfig = MAIL
        self.events: list[Any] = []
        self._schedule = schedule
        self._retry = retry
        self._off = off
        self._stop = asyncio.Event()
        self.in_flight = InFlight()
        self._reported = Reported()
        self._recent_mails = RecentMails()
        self.reputation = reputation
        self._working: asyncio.Task[None] | None = None
        self._old: list[asyncio.Task[None]] = []
        self._changes = 0
        self.heartbeats = Heartbeats()
        self.observed: list[Observation] = []

    async def __aenter__(self) -> Self:
        self.clock = FakeClock(NOW, self._off)
        self._log = capture_logs()
        self.events = self._log.__enter__()
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            late = self.heartbeats.late()
            await (self.stop() if kind is None else self.kill())
            await self.ledger.close()
        finally:
            self._log.__exit__(kind, error, trace)
        for transport in self.transports:
            assert transport.most_in_flight <= MOST_IN_FLIGHT * (1 + self._changes)
            assert transport.most_to_one <= 1
        assert not self._went_twice()
        assert not late, "a loop hung"

    @property
    def transports(self) -> list[RecordingTransport]:
        """The ways to all relays, the first one first."""
        return [self.transport, *self.fallbacks]

    def _went_twice(self) -> set[str]:
        """Return the mails that one relay was handed after another one had taken them, or may have."""
        return {
            mail.message_id
            for one in self.transports
            for mail, at in zip(one.arrived, one.arrivals, strict=True)
            for other in self.transports
            for tried, when in zip(other.tried, other.times, strict=True)
            if other is not one and tried.message_id == mail.message_id and when > at
        }

    async def open(self) -> None:
        """Open the ledger; whatever the worker does with it may be made to fail."""
        self.ledger = await ledger_in_memory()
        self.faults = Faults()

    # The worker

    async def run(self, seconds: float = 4.0) -> None:
        """Let the worker work for so long; it goes on where it stood."""
        self.start()
        assert self._working is not None
        await asyncio.wait({self._working}, timeout=seconds)
        if self._working.done():
            self._working.result()

    def start(self) -> None:
        """Start the worker, if it does not work yet."""
        if self._working is None:
            self._stop = asyncio.Event()
            ledger = faulty(self.ledger, self.faults)
            self.heartbeats = Heartbeats()
            conditions = Conditions()
            relays = [
                Relay(PLACE, self.transport, conditions.relay),
                *map(self._fallback, range(len(self.fallbacks))),
            ]
            parts = Parts(
                self.source,
                ledger,
                Relays(relays),
                self.in_flight,
                conditions,
                reported=self._reported,
                observe=self.observed.append,
                heartbeats=self.heartbeats,
                recent_mails=self._recent_mails,
            )
            schedule = Schedule(self._schedule) if self._schedule else None
            config = SenderConfig(schedule, self._retry, reputation=self.reputation)
            self.worker = Worker(parts, config, self.mail, self.clock)
            self._working = asyncio.ensure_future(self.worker.run(self._stop))

    def _fallback(self, number: int) -> Relay:
        place, condition = FALLBACKS[number], Condition("fallback", place=FALLBACKS[number])
        return Relay(place, self.fallbacks[number], condition, after=AFTER)

    def change(self) -> None:
        """Ask the worker to stop and put a new one beside it, as a changed configuration does."""
        self.ask_to_stop()
        self._changes += 1
        if self._working is not None:
            self._old.append(self._working)
        self._working = None
        self.start()

    @property
    def has_ended(self) -> bool:
        """Whether the worker has ended by itself."""
        return self._working is not None and self._working.done()

    def ask_to_stop(self) -> None:
        """Set the stop event."""
        self._stop.set()

    async def stop(self, within: float = 60.0) -> None:
        """Stop the worker as a signal does, and wait until it has ended."""
        self.ask_to_stop()
        async with asyncio.timeout(within):
            await asyncio.gather(*self._tasks())
        self._working = None

    async def kill(self) -> None:
        """End the worker where it stands, as kill -9 does; the ledger stays as it was written."""
        for task in (tasks := self._tasks()):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._working, self.in_flight, self._reported, self._recent_mails = (
            None,
            InFlight(),
            Reported(),
            RecentMails(),
        )

    def _tasks(self) -> list[asyncio.Task[None]]:
        tasks = [*self._old, *([self._working] if self._working else [])]
        self._old = []
        return tasks

    # What a test often begins with

    async def defer(self, of: Message) -> None:
        """Have the first attempt of a message with one recipient deferred, and its second one still to come."""
        self.transport.script(of.recipients[0], LATER)
        await self.run(10)
        assert await self.states(of) == [State.QUEUED]

    async def resend(self, of: Message) -> None:
        """Ask for another copy of what is sent, unknown or withdrawn, as the operator's command does."""
        (found,) = await self.deliveries(of)
        outcome = Outcome(State.QUEUED, self.clock.now(), found.attempts, 0, found.copy + 1)
        await self.ledger.apply_command(found, outcome, self.clock.now())
        self.worker.probe()

    # What became of it

    async def deliveries(self, of: Message) -> list[Delivery]:
        """Return a message's deliveries."""
        return list(await self.ledger.deliveries(of.id))

    async def states(self, *of: Message) -> list[State]:
        """Return where messages stand for each recipient."""
        return [found.state for one in of for found in await self.deliveries(one)]

    async def entry(self, of: Message) -> Entry:
        """Return what the operator sees of a message with one recipient."""
        (found,) = await self.ledger.find(Query(message=str(of.id)), 10)
        return found

    async def counts(self) -> dict[State, int]:
        """Return how many deliveries are in each state."""
        return dict(await self.ledger.count(Query()))

    def said(self, *names: str) -> list[str]:
        """Return the names of events that are not for `-d` alone, or of those among them."""
        said = [event["event"] for event in self.events if event["log_level"] != "debug"]
        return [event for event in said if not names or event in names]

    def facts(self, name: str) -> list[Any]:
        """Return the events of that name, whole."""
        return [event for event in self.events if event["event"] == name]


async def ledger_in_memory() -> SqliteLedger:
    """Open a ledger for whose thread made-up time waits."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    opening = asyncio.ensure_future(SqliteLedger.open(None))
    loop.wait_for(lambda: not opening.done())
    ledger = await opening
    loop.wait_for(lambda: ledger._writer.pending)
    return ledger


def bench(*messages: Message, **rest: Any) -> Bench:
    """Return a bench with these messages queued."""
    return Bench(messages, **rest)


FULL = LedgerFault("SQLITE_FULL", "ledger.db: the disk is full", "make room: it goes on by itself")


class Faults:
    """Which calls of a ledger fail: those in `before` without doing anything, those in `after` when all is written.

    `calls` names all that were made.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: set[str] = set()
        self.after: set[str] = set()

    def mend(self) -> None:
        """Have nothing fail any more."""
        self.before.clear()
        self.after.clear()


class _Faulty:
    def __init__(self, ledger: Ledger, faults: Faults) -> None:
        self._ledger = ledger
        self._faults = faults

    @property
    def is_shared(self) -> bool:
        return self._ledger.is_shared

    @property
    def replicas(self) -> Any:
        return self._ledger.replicas

    @property
    def outages(self) -> Outages | None:
        return self._ledger.outages

    @property
    def allowances(self) -> Allowances | None:
        return self._ledger.allowances

    def __getattr__(self, name: str) -> Any:
        async def call(*given: Any, **named: Any) -> Any:
            self._faults.calls.append(name)
            if name in self._faults.before:
                raise FULL
            answer = await getattr(self._ledger, name)(*given, **named)
            if name in self._faults.after:
                raise FULL
            return answer

        return call


def faulty(ledger: Ledger, faults: Faults) -> Ledger:
    """Return a ledger whose calls fail as `faults` say."""
    return cast("Ledger", _Faulty(ledger, faults))
