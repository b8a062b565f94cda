"""Limits of several senders on one ledger, through whole workers: together they keep what one would."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, cast

from mail_sender.ledger.allowances import Taken
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message
from mail_sender.sender import share
from mail_sender.sender.limits import start_of_day
from mail_sender.sender.recent_mails import RecentMails
from mail_sender.sender.share import UNUSED, Share
from mail_sender.sender.shared_limits import A_MINUTE, ASKED_AGAIN, LEARNT_EVERY
from mail_sender.sender.warm_up import WarmUp
from tests.support.memory_allowances import MemoryAllowances
from tests.support.samples import DAY, ELLIE, MINUTE, NO, NOW, SECOND, crowd, delivery, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench
from tests.unit.sender.test_reputation_gate import limited, most_within


@asynccontextmanager
async def senders(*queues: Sequence[Message], **limits: Any) -> AsyncIterator[tuple[list[Bench], MemoryAllowances]]:
    """Give a bench for each queue, whose senders share their limits."""
    async with AsyncExitStack() as opened:
        tables = [await opened.enter_async_context(limited(queue, **limits)) for queue in queues]
        allowances = MemoryAllowances(lambda: tables[0].clock.now().timestamp())
        for table in tables:
            cast("Any", table.ledger).allowances = allowances
        yield tables, allowances


def times(tables: Sequence[Bench]) -> list[float]:
    """Return when mails were sent, by whichever sender."""
    return sorted(at for table in tables for at in table.transport.times)


def apart(number: int, each: int) -> list[list[Message]]:
    """Return so many queues of messages, no two of which are for the same mailbox."""
    everybody = crowd(number * each)
    return [everybody[start::number] for start in range(number)]


@VIRTUAL_TIME
async def test_no_minute_has_more_mails_than_are_allowed_to_all_together() -> None:
    """Three senders with 100 mails each, at 60 a minute: nothing is passed, and nothing of it is left lying."""
    async with senders(*apart(3, 100), per_minute=60) as (tables, _):
        for table in tables:
            table.start()
        await tables[0].run(4 * A_MINUTE)
        assert most_within(times(tables), 60) == 60
        assert len(times(tables)) >= 4 * 60
        await tables[0].run(A_MINUTE)
        assert [await table.counts() for table in tables] == [{State.SENT: 100}] * 3
        said = [event["limit"] for event in tables[-1].facts("held_back")]  # by all: the last one has the log
        assert said == ["per_minute"] * 3


@VIRTUAL_TIME
async def test_senders_that_come_and_go_change_nothing() -> None:
    """One is killed again and again, and begins no minute anew; what it had taken counts as sent."""
    async with senders(*apart(2, 120), per_minute=40) as (tables, _):
        tables[1].start()
        for _ in range(20):
            await tables[0].run(10)
            await tables[0].kill()
        assert most_within(times(tables), 60) <= 40
        assert len(times(tables)) > 3 * 30


@VIRTUAL_TIME
async def test_a_day_of_the_warm_up_has_so_many_mails_by_all_senders() -> None:
    """Not by each; to the last one."""
    warm_up = WarmUp(start=20, factor=2.0, days=9)
    async with senders(*apart(3, 20), warm_up=warm_up) as (tables, _):
        for table in tables:
            table.start()
        await tables[0].run(600)
        assert len(times(tables)) == 20
        await tables[0].run((start_of_day(NOW) + DAY - NOW).total_seconds())
        assert len(times(tables)) == 60


@VIRTUAL_TIME
async def test_what_the_relay_refuses_costs_nobody_anything() -> None:
    """It is given back, and others take it."""
    refused, accepted = apart(2, 10)
    async with senders(refused, accepted, per_minute=10) as (tables, _):
        for one in refused:
            tables[0].transport.script(one.recipients[0], NO)
        await tables[0].run(10)
        assert await tables[0].counts() == {State.FAILED: 10}
        await tables[1].run(10)
        assert await tables[1].counts() == {State.SENT: 10}


@VIRTUAL_TIME
async def test_what_others_give_back_is_asked_for_again() -> None:
    """Long before the day ends for which nothing was left."""
    refused, accepted = apart(2, 10)
    async with senders(refused, accepted, warm_up=WarmUp(start=10, factor=2.0, days=9)) as (tables, _):
        tables[0].transport.take(30.0)
        for one in refused:
            tables[0].transport.script(one.recipients[0], NO)
        await tables[0].run(10)
        await tables[1].run(10)
        assert len(tables[1].transport.arrived) == 6  # four are in flight
        await tables[1].run(4 * 30 + ASKED_AGAIN)
        assert len(tables[1].transport.arrived) == 10


@VIRTUAL_TIME
async def test_a_mail_that_cannot_wait_goes_over_the_limit_and_counts() -> None:
    """The others wait for it, too."""
    people = crowd(20)
    late = message(ELLIE, number=900, delete_after=NOW + 330 * SECOND)
    async with senders(people[:10], [late], [*people[10:]], per_minute=10) as (tables, allowances):
        await tables[0].run(2)
        await tables[1].run(2)
        assert len(times(tables)) == 11
        assert tables[-1].said("over_limit") == ["over_limit"]
        await tables[2].run(10)
        assert tables[2].transport.times == []
        assert sum(allowances.mails["per_minute"].values()) == 11


@VIRTUAL_TIME
async def test_it_does_not_cost_a_question_for_each_mail() -> None:
    """Many are taken at once where the limit is high; an idle sender asks for nothing."""
    async with senders(crowd(300), per_minute=6_000) as (tables, allowances):
        await tables[0].run(60)
        assert await tables[0].counts() == {State.SENT: 300}
        assert allowances.takes <= 300 / share.MOST_TAKEN * 2
        before = allowances.takes
        await tables[0].run(600)
        assert allowances.takes == before


@VIRTUAL_TIME
async def test_what_other_senders_mailed_to_somebody_counts() -> None:
    """The ledger is read again and again for it, and not for each mail."""
    late = message(ELLIE, send_after=NOW + 12 * SECOND)
    queue = [late, *crowd(200)]
    async with senders(queue, per_recipient_per_hour=2, schedule="*/5 * * * * *") as (tables, _):
        (table,) = tables
        asked = []

        async def accepted(_: datetime) -> list[tuple[str, datetime]]:
            asked.append(table.clock.now())
            return [(ELLIE, table.clock.now()), (ELLIE.upper(), table.clock.now())] if len(asked) > 1 else []

        cast("Any", table.ledger).accepted = accepted
        await table.run(20)
        assert await table.states(late) == [State.QUEUED]
        assert table.facts("held_back")[0]["limit"] == "per_recipient_per_hour"
        assert len(table.transport.tried) == 200
        assert len(asked) <= 2 + 20 / LEARNT_EVERY


@VIRTUAL_TIME
async def test_a_ledger_of_one_sender_shares_nothing() -> None:
    """Neither is it asked, nor is anything kept."""
    async with limited(crowd(5), per_minute=60) as table:
        assert isinstance(table.ledger, SqliteLedger)
        await table.run(10)
        assert await table.counts() == {State.SENT: 5}
        assert table._recent_mails.share.change(table.clock.monotonic(), at_end=True) is None


@VIRTUAL_TIME
async def test_what_is_not_used_is_given_back_at_the_end() -> None:
    """At once: others need not wait for it."""
    async with senders(crowd(20), per_minute=200) as (tables, allowances):
        tables[0].transport.take(0.5)
        await tables[0].run(0.2)
        assert sum(allowances.mails["per_minute"].values()) == 10
        await tables[0].stop()
        went = len(tables[0].transport.arrived)
        assert went < 10
        assert sum(allowances.mails["per_minute"].values()) == went


@VIRTUAL_TIME
async def test_what_went_before_anybody_shared_counts() -> None:
    """The ledger may come from one machine, with a day that has begun."""
    async with senders(*apart(2, 20), warm_up=WarmUp(start=20, factor=2.0, days=9)) as (tables, _):
        for table in tables:

            async def accepted(_: datetime) -> list[tuple[str, datetime]]:
                return [(ELLIE, NOW - MINUTE)] * 15

            cast("Any", table.ledger).accepted = accepted
            table.start()
        await tables[0].run(60)
        assert len(times(tables)) == 5


def test_how_many_are_taken_at_once() -> None:
    """What is due, but never more than a small part of the limit: a sender that is killed loses it for all."""
    assert [share.wanted(most, 500) for most in (1, 20, 60, 200, 10_000)] == [1, 1, 3, 10, share.MOST_TAKEN]
    assert share.wanted(10_000, 4) == 4
    assert share.wanted(10_000, 0) == 1


def test_a_lot_that_is_old_lets_nothing_go() -> None:
    """It is given back, as what others were allowed meanwhile."""
    made = Share()
    assert not made.has_any(0.0)
    made.take_in(Taken(5, 1_000), 0.0)
    assert made.has_any(UNUSED - 0.1)
    assert not made.has_any(UNUSED)
    change = made.change(UNUSED)
    assert change is not None
    assert (change.back, change.over) == ({1_000: 5}, 0)
    made.gives(change)
    assert made.change(UNUSED) is None


def test_mails_of_other_senders_count_for_their_recipients() -> None:
    """What the ledger has by now, and what of ours it may not have yet; days are counted apart."""
    ours = delivery()
    recent = RecentMails()
    recent.fill([], NOW)
    recent.start(ours.key)
    recent.went(ours, NOW)
    recent.learn([("other@example.com", NOW - SECOND), ("Other@Example.com", NOW)], NOW)
    found = recent.by_mailbox(NOW)
    assert {mailbox: len(times) for mailbox, times in found.items()} == {
        "other@example.com": 2,
        ours.recipient: 1,
    }
    recent.end(ours.key)
    recent.learn([(ours.recipient, NOW)], NOW)
    assert {mailbox: len(times) for mailbox, times in recent.by_mailbox(NOW).items()} == {ours.recipient: 1}
    assert recent.of_day(NOW) == 1
