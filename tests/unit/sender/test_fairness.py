"""A fresh message and a backlog: neither waits for the other's end, and the order for one address holds."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import State
from mail_sender.message import Message
from mail_sender.sender.read_ahead import LEAD
from tests.support.samples import DOWN, ELLIE, HOUR, MINUTE, NOW, SECOND, A, B, crowd, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

HOURLY = "@hourly"


def backlog(number: int) -> list[Message]:
    """Return messages that are an hour old, the first one the oldest."""
    return [message(f"{place}@old.example", send_after=NOW - HOUR + place * SECOND) for place in range(number)]


async def admitted_long_ago(table: Bench, *messages: Message) -> None:
    """Have messages in the ledger that an earlier process took up."""
    await table.ledger.admit(messages, NOW - HOUR, 9 * HOUR)


def new(table: Bench, *recipients: str) -> list[Message]:
    """Queue messages on the server now."""
    found = [message(to, send_after=table.clock.now() - SECOND) for to in recipients]
    table.source.messages += found
    return found


async def test_a_fresh_message_takes_the_next_place_that_is_free_beside_a_backlog() -> None:
    """Four mails of a second each are in flight, and hundreds wait that are older: it goes within that second."""
    old = backlog(400)
    async with bench(*old) as table:
        await admitted_long_ago(table, *old)
        table.transport.take(1.0)
        await table.run(12)
        for person in (A, B, "c@example.com"):
            new(table, person)
            polls = table.source.calls.count("list_ready")
            while table.source.calls.count("list_ready") == polls:
                await table.run(0.25)
            await table.run(1.5)
            place = table.transport.recipients.index(person)
            assert table.transport.times[place] <= 5 * polls + 1  # a poll each five seconds
        assert (await table.counts())[State.QUEUED] > 250


async def test_a_backlog_goes_on_beside_an_endless_stream_of_fresh_ones() -> None:
    """More come with every poll than can go: behind a lead, half of the places stay the backlog's, oldest first."""
    old = backlog(120)
    async with bench(*old) as table:
        await admitted_long_ago(table, *old)
        table.transport.take(1.0)
        for turn in range(12):
            new(table, *(f"{turn}-{number}@new.example" for number in range(30)))
            await table.run(5)
        went = [to for to in table.transport.recipients if to.endswith("@old.example")]
        assert len(went) >= (len(table.transport.tried) - LEAD) // 2 - 4
        assert went == [of.recipients[0] for of in old[: len(went)]]


async def test_a_fresh_message_does_not_overtake_an_older_one_for_its_address() -> None:
    """Both go before the rest of the backlog, the older one first; one that waits for its retry is not waited for."""
    old = [*backlog(200), message(ELLIE, send_after=NOW - MINUTE)]
    async with bench(*old) as table:
        await admitted_long_ago(table, *old)
        table.transport.take(1.0)
        await table.run(8)
        (fresh,) = new(table, ELLIE)
        await table.run(12)
        hers = [mail.message_id for mail in table.transport.tried if mail.recipient == ELLIE]
        assert [await table.states(old[-1]), await table.states(fresh)] == [[State.SENT], [State.SENT]]
        assert [str(of.id) in id_ for of, id_ in zip((old[-1], fresh), hers, strict=True)] == [True, True]
        assert (await table.counts())[State.QUEUED] > 100


async def test_an_older_one_that_is_queued_again_still_goes_first() -> None:
    """The relay turned it away and not the fresh one behind it, which was read together with it."""
    old = [*backlog(60), message(ELLIE, send_after=NOW - MINUTE)]
    async with bench(*old) as table:
        await admitted_long_ago(table, *old)
        table.transport.take(1.0)
        await table.run(8)
        (fresh,) = new(table, ELLIE)
        table.transport.script(ELLIE, DOWN)
        await table.run(120)
        hers = [mail.message_id for mail in table.transport.arrived if mail.recipient == ELLIE]
        assert [str(of.id) in id_ for of, id_ in zip((old[-1], fresh), hers, strict=True)] == [True, True]


async def test_after_an_outage_the_oldest_go_first_and_the_last_minutes_beside_them() -> None:
    """Five minutes brought one message with every poll: in the main they go as they came."""
    async with bench() as table:
        await table.run(1)
        table.source.calls.clear()
        table.transport.always(DOWN)
        for turn in range(60):
            new(table, f"{turn}@example.com")
            await table.run(5)
        table.transport.always(None)
        table.transport.take(1.0)
        tried = len(table.transport.tried)
        await table.run(120)
        went = [int(to.partition("@")[0]) for to in dict.fromkeys(table.transport.recipients[tried:])]
        assert sorted(went) == list(range(60))
        older = [turn for turn in went if turn < 40]
        assert sum(before > after for before, after in pairwise(older)) <= 4
        assert went.index(59) < 10


async def test_what_an_operator_changes_is_read_anew() -> None:
    """Nothing is begun of what he has just given up, although it was read ahead."""
    messages = crowd(100)
    async with bench(*messages, schedule=HOURLY) as table:
        table.transport.take(1.0)
        await table.run(6)
        for of in messages:
            (found,) = await table.deliveries(of)
            if found.state is State.QUEUED:
                await table.ledger.apply_command(found, found.queued(table.clock.now()), table.clock.now())
        begun, original = [], table.ledger.begin

        async def begin(delivery: Delivery) -> Delivery:
            begun.append(delivery)
            return await original(delivery)

        table.ledger.begin = begin  # type: ignore[method-assign]  # it takes notes
        table.worker.wake()
        await table.run(60)
        assert await table.counts() == {State.SENT: 100}
        assert {one.claim > 0 for one in begun} == {True}
        assert len(begun) == len({one.key for one in begun})


async def test_a_long_queue_is_read_a_few_times_and_not_for_every_mail() -> None:
    """Neither what is due nor what is fresh."""
    old = backlog(400)
    async with bench(*old, schedule=HOURLY) as table:
        await admitted_long_ago(table, *old)
        reads: list[str] = []
        for name in ("due", "fresh"):
            setattr(table.ledger, name, _counted(reads, name, getattr(table.ledger, name)))
        table.transport.take(0.1)
        await table.run(60)
        assert await table.counts() == {State.SENT: 400}
        assert reads.count("fresh") == 1
        assert reads.count("due") <= 2 + 4 + 2  # twice for its length, and when each of the last four ends


def _counted(reads: list[str], name: str, call: Any) -> Any:
    async def counted(now: datetime, *given: Any, **named: Any) -> Sequence[Delivery]:
        reads.append(name)
        found: Sequence[Delivery] = await call(now, *given, **named)
        return found

    return counted
