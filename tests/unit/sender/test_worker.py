"""The flow as a whole: from the queue to the relay, and back as a mark."""

import asyncio
from datetime import timedelta

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.states import State
from mail_sender.message import UnknownContent
from mail_sender.sender.config import RetryConfig
from tests.support.memory_source import Call, fault
from tests.support.samples import (
    DOWN,
    ELLIE,
    LATER,
    MINUTE,
    NO,
    NOW,
    SECOND,
    A,
    B,
    C,
    crowd,
    message,
    reset,
)
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME

CALLS: tuple[Call, ...] = ("standing", "list_ready", "read", "mark_sent")
# The good day


async def test_what_is_queued_is_mailed_and_marked() -> None:
    """Each message is mailed once and marked once, which the log says with its id."""
    messages = crowd(20)
    async with bench(*messages, schedule="*/20 * * * * *") as table:
        await table.run(4)
        assert await table.counts() == {State.SENT: 20}
        await table.run(3600)
        assert sorted(table.transport.recipients) == sorted(of.recipients[0] for of in messages)
        assert sorted(table.source.marks) == [of.id for of in messages]
        for name in ("sent", "marked"):
            assert sorted(event["message_id"] for event in table.facts(name)) == [of.id for of in messages]
        assert await table.ledger.unmarked(table.clock.now()) == []


async def test_messages_to_one_address_go_by_their_send_after() -> None:
    """Whatever the order of the list, the oldest goes first, and the next one when it is settled."""
    ages = [3, 1, 2, 5, 4]
    async with bench(*(message(ELLIE, send_after=NOW - age * MINUTE, number=age) for age in ages)) as table:
        table.transport.take(1.0)
        await table.run(10)
        sent = [mail.message_id.partition("@")[0][-1] for mail in table.transport.tried]
        assert sent == ["5", "4", "3", "2", "1"]


async def test_connections_to_the_relay_are_given_back_when_nothing_is_in_flight() -> None:
    """Between mails nothing is kept open; at the end neither."""
    async with bench(message()) as table:
        await table.run()
        assert table.transport.closed > 0
        before = table.transport.closed
        await table.stop()
        assert table.transport.closed > before


# Several recipients


@pytest.mark.parametrize(
    ("recipients", "refused", "states"),
    [
        ((A, B, C), [B], [State.SENT, State.FAILED, State.SENT]),
        ((A, B), [A, B], [State.FAILED, State.FAILED]),
        (("no address", B), [], [State.FAILED, State.SENT]),
    ],
)
async def test_a_message_is_marked_where_somebody_got_it(
    recipients: tuple[str, ...], refused: list[str], states: list[State]
) -> None:
    """Whoever is refused, or no address, stops no other, and is not tried again; what nobody got is not marked."""
    of = message(*recipients)
    async with bench(of, schedule="0 * * * * *") as table:
        for recipient in refused:
            table.transport.script(recipient, NO)
        await table.run(3600)
        assert table.transport.recipients == [recipient for recipient in recipients if "@" in recipient]
        assert await table.states(of) == states
        assert table.source.marks == [of.id] * (State.SENT in states)
        assert table.said("failed") == ["failed"] * states.count(State.FAILED)


async def test_a_message_is_marked_when_its_last_recipient_is_final() -> None:
    """Not before the one that waits for its retry is through."""
    of = message(A, B)
    async with bench(of) as table:
        table.transport.script(B, LATER)
        await table.run(20)
        assert table.source.marks == []
        await table.run(20)
        assert table.transport.recipients == [A, B, B]
        assert table.source.marks == [of.id]


async def test_a_message_with_one_sent_and_one_expired_recipient_is_marked() -> None:
    """Expired is final: one got it, so it is marked."""
    of = message(A, B, content=reset(expires_at=NOW + 80 * SECOND))
    async with bench(of) as table:
        table.transport.script(B, LATER)
        await table.run(19)
        assert await table.states(of) == [State.SENT, State.QUEUED]
        assert table.source.marks == []
        await table.run(5)
        assert await table.states(of) == [State.SENT, State.EXPIRED]
        assert table.source.marks == [of.id]


# What cannot be mailed


async def test_what_was_held_is_tried_again_at_the_next_start() -> None:
    """A version that knows its kind mails it; one that does not holds it again, says so once, and mails the others."""
    strange, good = message(A, content=UnknownContent("account_expiry_v1")), message(B)
    async with bench(strange, good) as table:
        for start in (1, 2):
            await table.run(600)
            assert await table.states(strange) == [State.HELD]
            assert [event["kind"] for event in table.facts("held")] == ["account_expiry_v1"] * start
            assert (table.transport.recipients, table.source.marks) == ([B], [good.id])
            await table.stop()
        table.source.messages = [message(A, number=strange.id.int)]
        await table.run(60)
        assert await table.states(strange) == [State.SENT]
        assert table.source.sent == {good.id, strange.id}


async def test_a_link_is_mailed_while_it_has_more_than_a_minute_left() -> None:
    """With less it is given up, said once, and not marked."""
    messages = [
        message(to, content=reset(expires_at=NOW + left * SECOND)) for to, left in ((A, -1), (B, 60), (C, 61))
    ]
    async with bench(*messages, schedule="0 * * * * *") as table:
        await table.run(3600)
        assert table.transport.recipients == [C]
        assert await table.states(*messages) == [State.EXPIRED, State.EXPIRED, State.SENT]
        assert (table.source.marks, table.said("expired")) == ([messages[2].id], ["expired"] * 2)


async def test_nothing_is_mailed_that_is_older_than_its_greatest_age() -> None:
    """Counted from when it was first seen."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *", retry=RetryConfig(max_age=timedelta(minutes=10))) as table:
        table.transport.always(DOWN)
        await table.run(601)
        assert await table.states(of) == [State.EXPIRED]
        tried = len(table.transport.tried)
        table.transport.always(None)
        await table.run(3600)
        assert len(table.transport.tried) == tried


async def test_a_message_of_long_ago_that_is_still_listed_is_not_news_at_each_poll() -> None:
    """Where the server should have deleted it more than a day ago, it is not mailed, and said once."""
    of = message(A, send_after=NOW - timedelta(days=30), delete_after=NOW - timedelta(days=2))
    async with bench(of) as table:
        await table.run(60)
        assert table.transport.tried == []
        assert len(table.said("expired")) == 1


async def test_what_is_long_gone_is_forgotten_and_what_is_listed_is_kept() -> None:
    """A day after the server should have deleted it; what it lists still is not news again."""
    gone, listed = message(A, delete_after=NOW + MINUTE), message(B, delete_after=NOW + MINUTE)
    async with bench(gone, listed, schedule="@hourly") as table:
        await table.run(60)
        table.source.forgetful = True
        table.source.delete(gone)
        await table.run(26 * 3600)
        assert await table.deliveries(gone) == []
        assert await table.states(listed) == [State.SENT]
        assert table.transport.recipients == [A, B]


# The whole


@pytest.mark.parametrize("kind", ServerFaultKind)
async def test_a_fault_raised_in_any_call_does_no_lasting_harm(kind: ServerFaultKind) -> None:
    """Each call of the source may fail at any time; in the end all is mailed once and marked."""
    for call in CALLS:
        messages = [message(A), message(B), message(C)]
        async with bench(*messages) as table:
            table.transport.script(A, LATER)
            error = fault(kind)
            table.source.script(call, None, error, error)
            await table.run(300)
            assert sorted(table.transport.recipients) == [A, A, B, C]
            assert table.source.sent == {of.id for of in messages}


async def test_a_worker_whose_breaker_is_open_does_not_spin() -> None:
    """With a hundred that wait and one probe that hangs, it looks at most once a poll and when something ends."""
    async with bench(*crowd(100)) as table:
        table.transport.always(DOWN)
        await table.run(60)
        table.transport.take(float("inf"))
        await table.run(60)
        waits = len(table.clock.waits)
        await table.run(600)
        assert len(table.clock.waits) - waits < 600
        await table.kill()


async def test_a_worker_at_rest_asks_the_disk_for_little() -> None:
    """With nothing to do, it looks at what is due once a poll and once a minute, and never spins."""
    async with bench(message(A), schedule="0 * * * * *") as table:
        began = asyncio.get_running_loop().time()
        await table.run(3600)
        assert len(table.clock.waits) < 6 * 60
        assert asyncio.get_running_loop().time() - began == 3600  # of the bench itself
        assert await table.states(*table.source.messages) == [State.SENT]
