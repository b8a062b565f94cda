"""The reporter makes the status of what is known now, and asks the ledger once in a while."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Entry, Query
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.summary import Summary
from mail_sender.observe import disk, reading
from mail_sender.observe.observers import Observers
from mail_sender.observe.reporter import Reporter
from mail_sender.sender.observation import Polled
from tests.support.fake_clock import FakeClock
from tests.support.samples import NOW
from tests.support.virtual_time import VIRTUAL_TIME
from tests.unit.observe.test_compose import SUMMARY

pytestmark = VIRTUAL_TIME


class FakeLedger(SqliteLedger):
    """A ledger that counts how often it is asked, and does as a test says."""

    def __init__(self) -> None:
        self.asked = 0
        self.fault: LedgerFault | None = None
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def find(self, query: Query, limit: int, before: int | None = None) -> Sequence[Entry]:
        self.asked += 1
        await self.goes_on.wait()
        if self.fault:
            raise self.fault
        return []

    async def summary(self, now: datetime) -> Summary:
        self.asked += 1
        await self.goes_on.wait()
        if self.fault:
            raise self.fault
        return SUMMARY


def reporter_on(ledger: FakeLedger, clock: FakeClock) -> Reporter:
    """Return a reporter of a sender that has not begun to work."""
    observers = Observers(clock.now())
    observers.observe(Polled(NOW, 0.1, 3, 0))
    return Reporter(ledger, observers, clock, lambda: disk.ledger_status(None))


async def test_however_many_ask_the_ledger_is_read_once_in_a_while() -> None:
    """All who ask at the same time wait for one reading."""
    ledger, clock = FakeLedger(), FakeClock()
    asked = reporter_on(ledger, clock)
    found = await asyncio.gather(*(asked.status() for _ in range(20)))
    assert (ledger.asked, {one.queue is not None for one in found}) == (1, {True})
    await clock.wait(asyncio.Event(), reading.FRESH_SECONDS)
    await asked.status()
    assert ledger.asked == 2


async def test_a_ledger_that_cannot_be_read_is_a_condition_and_the_rest_is_told() -> None:
    """Since it was met first; it ends when the ledger can be read again."""
    ledger, clock = FakeLedger(), FakeClock()
    asked = reporter_on(ledger, clock)
    ledger.fault = LedgerFault("disk", "it cannot be read", "check the disk")
    since = clock.now()
    for _ in range(2):
        found = await asked.status()
        await clock.wait(asyncio.Event(), reading.FRESH_SECONDS)
        (condition,) = found.conditions
        assert (condition.name, condition.kind, condition.since) == ("ledger", "disk", since)
        assert (found.queue, found.attempts, found.sender is None) == (None, None, False)
    ledger.fault = None
    assert (await asked.status()).conditions == []


async def test_a_ledger_that_hangs_is_not_waited_for_and_asked_by_one_alone() -> None:
    """A disk that hangs must not hold up those who ask, nor fill the process with threads that wait for it."""
    ledger, clock = FakeLedger(), FakeClock()
    asked = reporter_on(ledger, clock)
    ledger.goes_on.clear()
    for _ in range(3):
        found = await asked.status()
        assert [(one.name, one.kind) for one in found.conditions] == [("ledger", "slow")]
    assert ledger.asked == 1
    ledger.goes_on.set()
    assert (await asked.status()).conditions == []


async def test_the_last_deliveries_have_a_time_of_their_own() -> None:
    """The page is shown without them if the ledger hangs or cannot be read; nobody asks it twice meanwhile."""
    ledger, clock = FakeLedger(), FakeClock()
    asked = reporter_on(ledger, clock)
    ledger.goes_on.clear()
    began = asyncio.get_running_loop().time()
    assert await asyncio.gather(*(asked.last() for _ in range(3))) == [()] * 3
    assert asyncio.get_running_loop().time() - began == reading.LEDGER_SECONDS
    assert ledger.asked == 1
    ledger.goes_on.set()
    assert list(await asked.last()) == []
    ledger.fault = LedgerFault("disk", "it cannot be read", "check the disk")
    await clock.wait(asyncio.Event(), reading.FRESH_SECONDS)
    assert await asked.last() == ()
    assert ledger.asked == 2


async def test_before_a_configuration_is_in_use_a_sender_is_alive_and_not_ready() -> None:
    """It starts: nothing of it hangs, and nothing is sent yet."""
    health: Any = reporter_on(FakeLedger(), FakeClock()).health()
    assert (health.is_alive, health.is_ready) == (True, False)
