"""A long list comes in parts: it is mailed as if it had come at once, and little of it is kept in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.admission import LAGGING
from mail_sender.ledger.states import State
from mail_sender.sender import intake
from mail_sender.sender.poll import ALL_LASTS
from tests.support.memory_source import fault
from tests.support.samples import DAY, DOWN, HOUR, NOW, A, B, crowd, message, reset
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


async def test_what_the_last_poll_saw_is_neither_read_nor_admitted_again() -> None:
    """Its contents stay; what is new is shown beside it, and goes."""
    messages = crowd(20)
    async with bench(*messages) as table:
        table.transport.always(DOWN)
        await table.run(12)
        admitted = table.faults.calls.count("admit")
        table.source.messages.append(fresh := message(B))
        await table.run(10)
        assert table.source.shown == [20, 0, 0, 1, 0]
        assert table.faults.calls.count("admit") == admitted + 1
        table.transport.always(None)
        await table.run(400)
        assert await table.counts() == {State.SENT: 21}
        assert (await table.states(fresh), table.source.calls.count("read")) == ([State.SENT], 0)


async def test_contents_are_read_again_when_their_turn_comes_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a poll, and not one by one from the server."""
    monkeypatch.setattr(intake, "MOST_OLD", 20)
    monkeypatch.setattr(intake, "MOST_NEW", 5)
    monkeypatch.setattr(intake, "FEW", 24)
    async with bench(*crowd(100)) as table:
        table.transport.take(2.0)
        await table.run(300)
        assert await table.counts() == {State.SENT: 100}
        assert table.source.calls.count("read") <= 15  # 75, if none were
        assert 150 < sum(table.source.shown) < 250
        assert table.faults.calls.count("admit") == 1


async def test_a_message_that_has_changed_is_shown_and_replaces_what_was_kept() -> None:
    """It may have another address by now."""
    of = message(A)
    async with bench(of, *crowd(3)) as table:
        table.transport.always(DOWN)
        await table.run(7)
        table.source.messages[0] = replace(of, recipients=(B,))
        await table.run(5)
        assert table.source.shown == [4, 0, 1]
        assert table.worker._poller._snapshot.messages[of.id].recipients == (B,)


@pytest.mark.parametrize("broken", ["the server", "the ledger", "nothing"])
async def test_after_a_fault_and_from_time_to_time_all_is_looked_at(broken: str) -> None:
    """A part may not have been taken up, and what is listed for too long is to be noticed."""
    async with bench(*crowd(5)) as table:
        table.transport.always(DOWN)
        await table.run(7)
        assert table.source.shown == [5, 0]
        if broken == "the server":
            table.source.script("list_ready", fault(ServerFaultKind.UNREACHABLE))
        elif broken == "the ledger":
            table.source.messages.append(message(B))
            table.faults.before.add("admit")
        await table.run(5)
        table.faults.mend()
        await table.run(5)
        assert table.source.shown[2:] == {"the server": [5], "the ledger": [1, 6], "nothing": [0, 0]}[broken]
        await table.run(ALL_LASTS)
        assert table.source.shown.count(5 + (broken == "the ledger")) == 2 + (broken == "the server")


async def test_a_message_that_stays_listed_after_its_mark_is_noticed_though_it_is_known() -> None:
    """A list that never lacked it: somebody has put an old state of the server back."""
    async with bench(message(A)) as table:
        table.source.forgetful = True
        await table.run(20)
        assert table.said("unsent") == []
        await table.run((LAGGING + timedelta(seconds=ALL_LASTS)).total_seconds())
        assert (table.said("unsent"), len(table.transport.arrived)) == (["unsent"], 1)
        assert table.source.shown.count(1) < 5
