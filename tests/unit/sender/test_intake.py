"""A long list comes in parts: it is mailed as if it had come at once, and little of it is kept in memory."""

from datetime import timedelta

import pytest

from mail_sender.ledger.states import State
from mail_sender.sender import intake
from tests.support.samples import DAY, HOUR, NOW, A, crowd, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME


async def test_messages_to_one_address_go_in_their_order_whatever_part_they_come_in() -> None:
    """The later one is in the first part: nothing of the list goes before all of it is there, whatever rings."""
    later, *others, first = message(A), *crowd(7), message(A, send_after=NOW - HOUR)
    async with bench() as table:
        await table.run(4)
        table.source.messages = [later, *others, first]
        table.source.part, table.source.part_seconds = 3, 2.0
        await table.run(2)
        table.worker.wake()
        await table.run(2)
        assert (len(await table.deliveries(later)), table.transport.tried) == (1, [])
        await table.run(20)
        assert await table.counts() == {State.SENT: 9}
        to_a = [mail.message_id for mail in table.transport.arrived if mail.recipient == A]
        assert [str(of.id) in id_ for of, id_ in zip((first, later), to_a, strict=True)] == [True, True]


async def test_what_was_due_before_goes_out_while_a_long_list_is_taken_up() -> None:
    """A list of thousands takes seconds; only what it holds itself waits for it."""
    messages = crowd(60)
    async with bench(*messages[:40], schedule="*/20 * * * * *") as table:
        table.transport.take(5.0)
        await table.run(19)
        table.source.messages, table.source.part, table.source.part_seconds = messages, 3, 1.0
        await table.run(3)
        before = len(table.transport.tried)
        await table.run(15)
        assert len(table.transport.tried) >= before + 8
        await table.run(100)
        assert await table.counts() == {State.SENT: 60}


async def test_of_a_long_list_little_is_kept_and_the_rest_is_read_when_it_is_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the oldest ones, which come next, and of the newest ones."""
    monkeypatch.setattr(intake, "MOST_OLD", 10)
    monkeypatch.setattr(intake, "MOST_NEW", 5)
    messages = [
        message(f"u{age}@example.com", send_after=NOW - (200 - age) * timedelta(seconds=1)) for age in range(100)
    ]
    async with bench(*messages[50:], *messages[:50]) as table:
        table.source.part = 7
        await table.run(3)
        snapshot = table.worker._poller._snapshot
        assert set(snapshot.messages) == {of.id for of in (*messages[:10], *messages[-5:])}
        assert (len(snapshot.ids), all(of.id in snapshot.ids for of in messages)) == (100, True)
        assert await table.counts() == {State.SENT: 100}
        assert table.source.calls.count("read") == 85


@pytest.mark.parametrize("off", [timedelta(0), -400 * DAY, 400 * DAY, timedelta(hours=2)])
async def test_a_long_list_is_taken_up_by_the_right_time(off: timedelta) -> None:
    """Where ours is wrong, the list is read to its end before; a deadline by the wrong one would expire it unsent."""
    messages = [message(f"u{number}@example.com", content=reset()) for number in range(20)]
    async with bench(*messages, off=off) as table:
        table.source.date = lambda: table.clock.true
        table.source.part = 3
        await table.run(10)
        assert await table.counts() == {State.SENT: 20}
        deadlines = {delivery.deadline for of in messages for delivery in await table.deliveries(of)}
        assert deadlines == {messages[0].deadline}


async def test_a_part_that_the_ledger_does_not_take_is_taken_with_the_next_poll() -> None:
    """It is said once, and nothing is lost."""
    async with bench(*crowd(20)) as table:
        table.source.part = 3
        table.faults.before.add("admit")
        await table.run(12)
        assert await table.counts() == {}
        table.faults.mend()
        await table.run(20)
        assert await table.counts() == {State.SENT: 20}
        assert table.said("ledger_down") == ["ledger_down"]
