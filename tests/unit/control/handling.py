"""A handler on a real ledger in memory, with a server, a sender and a clock that do as a test says."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from mail_sender.clock import SteadyClock
from mail_sender.condition import Fault
from mail_sender.control.command import Command
from mail_sender.control.handler import Handler
from mail_sender.control.response import ResponseLine
from mail_sender.errors import MessageGone
from mail_sender.ledger.base import Attempt, Delivery, Imprint, Ledger, Outcome
from mail_sender.ledger.states import State
from mail_sender.message import Found, Message
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.worker import Worker
from tests.support.samples import NOW

BOB = "bob@example.com"
DAY = timedelta(days=1)
LATER = NOW + timedelta(minutes=20)
DOWN = Attempt(NOW, "connect", "relay_down", None, "connection refused", 0.1)
DEFERRED = Attempt(NOW, "rcpt", "deferred", 450, "4.2.0 later", 0.1)


class Clock(SteadyClock):
    """A clock that stands, but for what is waited: each wait is over at once, after others had their turn."""

    def __init__(self, start: datetime = NOW) -> None:
        self._start = start
        self._passed = 0.0
        super().__init__()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        self._passed += seconds
        for _ in range(20):
            await asyncio.sleep(0)
        return event.is_set()


class Server:
    """A source of which only `read` is asked."""

    def __init__(self, *messages: Message, fault: Exception | None = None) -> None:
        self._messages = {each.id: each for each in messages}
        self._fault = fault

    async def read(self, message: UUID) -> Found:
        if self._fault:
            raise self._fault
        if message not in self._messages:
            raise MessageGone
        return Found(self._messages[message], NOW)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"no command needs {name}")


class FakeWorker(Worker):
    """A sender that counts how often it is woken, and then does the given work."""

    def __init__(self, work: Any = None) -> None:
        self.probes = self.wakes = 0
        self.working: asyncio.Task[None] | None = None
        self.wrong: list[Fault] = []
        self.held: tuple[HeldBack, ...] = ()
        self._work = work

    def wake(self) -> None:
        self.wakes += 1

    def faults(self) -> list[Fault]:
        return self.wrong

    def probes_in(self) -> float | None:
        return 23.4 if self.wrong else None

    def held_back(self) -> tuple[HeldBack, ...]:
        return self.held

    def probe(self) -> None:
        self.probes += 1
        if self._work:
            self.working = asyncio.ensure_future(self._work())


async def become(ledger: Ledger, of: Message, state: State, **counts: Any) -> None:
    """Lead all deliveries of a message to a state."""
    await ledger.admit([of], NOW, DAY)
    for delivery in await ledger.deliveries(of.id):
        outcome = Outcome(state, LATER, counts.get("attempts", 3), counts.get("ambiguous", 0), 0)
        if state in {State.HELD, State.EXPIRED, State.WITHDRAWN}:
            await ledger.settle(delivery, outcome, NOW)
            continue
        begun = await ledger.begin(delivery)
        if state is State.SENT:
            await ledger.dot(begun, Imprint("<1@example.com>", NOW, "00"))
        if state is not State.PROCESSING:
            await ledger.settle(begun, outcome, NOW, counts.get("attempt"))


async def ask(handler: Handler, verb: str, **fields: Any) -> list[ResponseLine]:
    """Give a command, and return its response."""
    lines = [line async for line in handler.answer(Command(verb, **fields))]
    assert "end" in lines[-1]
    assert not any("end" in line for line in lines[:-1])
    return lines


async def only(ledger: Ledger, of: Message) -> Delivery:
    """Return a message's one delivery."""
    (delivery,) = await ledger.deliveries(of.id)
    return delivery


def handler_on(
    ledger: Ledger, source: Any = None, worker: FakeWorker | None = None, clock: Clock | None = None
) -> Handler:
    """Return a handler, by default with neither source nor sender."""
    return Handler(ledger, source, clock or Clock(), worker)


def results(lines: Sequence[ResponseLine]) -> list[ResponseLine]:
    """Return what was done."""
    return [line["result"] for line in lines if "result" in line]
