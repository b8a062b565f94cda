"""What `Allowances` promises: however many take, no quota is passed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Self

import pytest

from mail_sender.ledger.allowances import Allowances, Change, Quota, Taken
from mail_sender.ledger.postgres.allowances import _LOCK_KEY
from mail_sender.ledger.postgres.ledger import PostgresLedger
from tests.support.memory_allowances import MemoryAllowances
from tests.support.postgres import Postgres

DAY = 86_400
MINUTE = Quota("a minute", 10, 60)
NOTHING = Change()


class Both:
    """What two senders use, and the time that they have."""

    def __init__(self, server: Postgres | None) -> None:
        self._server = server
        self._later = 0
        memory = MemoryAllowances(lambda: datetime.now(UTC).timestamp() + self._later)
        self.each: list[Allowances] = [memory, memory]
        self._ledgers: list[PostgresLedger] = []

    async def __aenter__(self) -> Self:
        if self._server is not None:
            self.target = self._server.target()
            self._ledgers = [await PostgresLedger.open(self.target) for _ in range(2)]
            self.each = [ledger.allowances for ledger in self._ledgers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for ledger in self._ledgers:
            await ledger.close()

    def passes(self, seconds: int) -> None:
        """Let time pass; in the database, what was taken was taken earlier."""
        self._later += seconds
        if self._server is not None:
            self._server.execute(
                f'UPDATE "{self.target.schema}".allowance SET slot = slot - {seconds}'  # noqa: S608 - names of ours
            )

    async def take(self, sender: int, wanted: int, change: Change = NOTHING, *quotas: Quota) -> Taken:
        """Have a sender take some mails, of the limit a minute where no other is named."""
        return await self.each[sender].take(quotas or [MINUTE], wanted, change)


@pytest.fixture(params=["memory", pytest.param("postgresql", marks=pytest.mark.debian("postgresql"))])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    """Give two senders."""
    server = None if request.param == "memory" else request.getfixturevalue("postgres")
    async with Both(server) as made:
        yield made


async def test_together_they_take_no_more_than_there_is(both: Both) -> None:
    """At the same moment, too; and whoever gets too few is said when there is more."""
    taken = await asyncio.gather(*(both.take(sender, 3) for sender in (0, 1) * 4))
    assert sorted((one.mails for one in taken), reverse=True) == [3, 3, 3, 1, 0, 0, 0, 0]
    assert all(50.0 < one.reached["a minute"] <= 60.0 for one in taken if one.mails < 3)
    assert sum("a minute" in one.reached for one in taken) == 5
    both.passes(30)
    late = await both.take(1, 1)
    assert late.mails == 0
    assert 20.0 < late.reached["a minute"] <= 30.0
    both.passes(30)
    assert (await both.take(1, 99)).mails == 10


@pytest.mark.debian("postgresql")
async def test_in_the_database_one_takes_after_the_other(postgres: Postgres) -> None:
    """Or two that ask at the same moment would both see what is left."""
    async with Both(postgres) as both:
        key = f"{_LOCK_KEY}, hashtext('{both.target.schema}')"
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with postgres.holding(f"SELECT pg_advisory_xact_lock({key})"):
            takes = asyncio.ensure_future(both.take(0, 1))
            while not await asyncio.to_thread(postgres.execute, waiting):
                assert not takes.done()
        assert (await takes).mails == 1


async def test_what_a_clock_wrote_that_was_set_back_does_not_count(both: Both) -> None:
    """Or the limit would hold mail back until that time comes again."""
    await both.take(0, 10)
    both.passes(-30)
    assert (await both.take(1, 99)).mails == 10


async def test_what_is_given_back_can_be_taken_again_and_what_went_over_counts(both: Both) -> None:
    """By whoever took it when; more than was taken cannot come back."""
    taken = await both.take(0, 10)
    assert (await both.take(1, 5)).mails == 0
    assert (await both.take(1, 5, Change({taken.at: 4}))).mails == 4
    both.passes(60)
    over = await both.take(0, 0, Change(over=12))
    assert (over.mails, "a minute" in over.reached) == (0, True)
    assert (await both.take(1, 1, Change({over.at: 99}))).mails == 1
    assert (await both.take(1, 99)).mails == 9


async def test_of_several_quotas_the_one_that_has_least_counts(both: Both) -> None:
    """It is taken of each, and only what all of them have left."""
    day = Quota("a day", 4, DAY, is_whole=True)
    taken = await both.take(0, 6, NOTHING, MINUTE, day)
    assert taken.mails == 4
    left = DAY - datetime.now(UTC).timestamp() % DAY
    assert list(taken.reached) == ["a day"]
    assert abs(taken.reached["a day"] - left) < 60.0
    assert (await both.take(1, 99)).mails == 6


async def test_what_was_sent_before_anybody_took_anything_counts_once(both: Both) -> None:
    """A ledger may have been moved here in the middle of a day; and who comes later knows of more."""
    assert (await both.take(0, 2, NOTHING, Quota("a day", 10, DAY, is_whole=True, known=7))).mails == 2
    assert (await both.take(1, 5, NOTHING, Quota("a day", 10, DAY, is_whole=True, known=9))).mails == 1
    both.passes(DAY)
    assert (await both.take(1, 99, NOTHING, Quota("a day", 10, DAY, is_whole=True))).mails == 10
