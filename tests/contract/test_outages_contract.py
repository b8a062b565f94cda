"""What `Outages` promises, in the database, and in the memory that unit tests use: an outage and a permission for all.

Time passes by `passes`: for the database, what its clock has written is moved.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Self

import pytest

from mail_sender.ledger.outages import TRIED_WITHIN, Heard, Outage, Outages, Report
from mail_sender.ledger.postgres.ledger import PostgresLedger
from tests.support.memory_outages import MemoryOutages
from tests.support.postgres import Postgres

OUTAGE = Outage(60.0, 60.0, "auth", "the relay answers 535 no", "mend it")
SLACK = 5.0
"""Seconds that the database's clock may go on meanwhile."""


class Three:
    """Three senders that know of each other's relays, and the time that they have."""

    def __init__(self, server: Postgres | None) -> None:
        self._server = server
        self._memory = MemoryOutages()
        self._ledgers: list[PostgresLedger] = []
        self._each: list[Outages] = []

    async def __aenter__(self) -> Self:
        if self._server is None:
            self._each = [self._memory.of(name) for name in "abc"]
        else:
            self._target = self._server.target()
            for _ in range(3):
                self._ledgers.append(await PostgresLedger.open(self._target))
                self._each.append(self._ledgers[-1].outages)
        return self

    async def __aexit__(self, *_: object) -> None:
        for ledger in self._ledgers:
            await ledger.close()

    async def report(self, sender: int, **fields: object) -> Heard:
        """Have a sender tell something of the one relay; all live, however much time has passed."""
        for ledger in self._ledgers:
            await ledger.beat()
        (heard,) = await self._each[sender].exchange([Report("one", **fields)])  # type: ignore[arg-type] # Report's fields
        return heard

    async def both(self, sender: int) -> list[Heard]:
        """Have a sender ask for two relays at once, the one and another."""
        return [*await self._each[sender].exchange([Report("other", asks=True), Report("one")])]

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self._memory.now += seconds
        if self._server is not None:
            self._server.move_clock(self._target, timedelta(seconds=-seconds))


@pytest.fixture(params=["memory", pytest.param("postgresql", marks=pytest.mark.debian("postgresql"))])
async def three(request: pytest.FixtureRequest) -> AsyncIterator[Three]:
    """Give three senders."""
    server = None if request.param == "memory" else request.getfixturevalue("postgres")
    async with Three(server) as made:
        yield made


def retry_in(heard: Heard) -> float:
    """Return for how long a relay is left alone."""
    assert heard.outage is not None
    return heard.outage.retry_in


async def test_of_a_relay_that_nobody_knows_one_sender_may_try(three: Three) -> None:
    """The others when that one has told something, or has been silent for too long."""
    nothing = await three.report(0)
    assert (nothing.outage, nothing.worked_ago, nothing.may_try) == (None, None, False)
    asked = await asyncio.gather(*(three.report(sender, asks=True) for sender in range(3)))
    (first,) = (sender for sender, heard in enumerate(asked) if heard.may_try)
    second, third = {0, 1, 2} - {first}
    await three.report(first, gives_back=True)
    assert (await three.report(second, asks=True)).may_try
    await three.report(first, gives_back=True)  # it is not its own any more
    assert not (await three.report(third, asks=True)).may_try
    three.passes(TRIED_WITHIN - SLACK)
    assert not (await three.report(third, asks=True)).may_try
    three.passes(2 * SLACK)
    assert (await three.report(third, asks=True)).may_try


async def test_an_outage_is_everybodys_until_a_mail_went_through(three: Three) -> None:
    """With its words; nobody tries it before the time is over, then one does; that it works ends it for all."""
    await three.report(0, outage=OUTAGE)
    heard = await three.report(1, asks=True)
    assert heard.outage is not None
    assert (heard.outage.wait, heard.outage.stage, heard.outage.detail, heard.outage.advice) == (
        60.0, "auth", OUTAGE.detail, OUTAGE.advice
    )  # fmt: skip
    assert 60.0 - SLACK <= retry_in(heard) <= 60.0
    assert heard.failed_ago is not None
    assert 0.0 <= heard.failed_ago <= SLACK
    assert not heard.may_try
    three.passes(60.0)
    assert [(await three.report(sender, asks=True)).may_try for sender in range(3)] == [True, False, False]
    await three.report(0, outage=Outage(120.0, 120.0, "auth", "again", "mend it"))
    assert 120.0 - SLACK <= retry_in(await three.report(1)) <= 120.0
    three.passes(120.0)
    assert (await three.report(2, asks=True)).may_try
    await three.report(2, outage=Outage(5.0, 5.0, "mail", "421", "wait"))  # shorter than a permission lasts
    three.passes(5.0)
    assert (await three.report(1, asks=True)).may_try
    await three.report(1, works=True)
    heard = await three.report(2)
    assert heard.outage is None
    assert heard.worked_ago is not None
    assert 0.0 <= heard.worked_ago <= SLACK


async def test_of_two_that_find_it_down_the_longer_wait_counts(three: Three) -> None:
    """Whoever comes second has not heard of the first; only a probe's end makes the wait another one."""
    await three.report(0, outage=Outage(120.0, 300.0, "mail", "a quota", "wait"))
    await three.report(1, outage=OUTAGE)
    heard = await three.report(2)
    assert heard.outage is not None
    assert (heard.outage.wait, heard.outage.detail) == (120.0, OUTAGE.detail)
    assert retry_in(heard) > 300.0 - SLACK
    three.passes(300.0)
    assert (await three.report(2, asks=True)).may_try
    await three.report(2, outage=OUTAGE)
    assert retry_in(await three.report(0)) <= 60.0


async def test_a_sender_that_starts_or_an_operator_may_have_it_sooner(three: Three) -> None:
    """So many seconds after the last failure, and never beside another's probe."""
    await three.report(0, outage=Outage(900.0, 900.0, "auth", "no", "mend it"))
    assert not (await three.report(1, asks=True, after=60.0)).may_try
    assert retry_in(await three.report(1, after=60.0)) <= 60.0
    three.passes(60.0)
    assert not (await three.report(1, asks=True)).may_try
    assert (await three.report(1, asks=True, after=60.0)).may_try
    assert not (await three.report(2, asks=True, after=0.0)).may_try
    await three.report(1, gives_back=True)
    assert (await three.report(2, asks=True, after=0.0)).may_try


async def test_each_relay_is_one_of_its_own(three: Three) -> None:
    """Also where several are told of at once."""
    await three.report(0, outage=OUTAGE)
    other, one = await three.both(1)
    assert (other.outage, other.may_try) == (None, True)
    assert one.outage is not None
    assert not one.may_try
