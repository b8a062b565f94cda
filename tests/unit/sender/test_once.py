"""A sender without a schedule polls once, tries what is due, marks what is sent, and ends by itself."""

import asyncio
from datetime import timedelta

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.states import State
from mail_sender.verdict import RelayDown, Reply, Stage, Throttled, Verdict
from tests.support.memory_source import fault
from tests.support.samples import DOWN, LATER, NO, NOW, A, B, crowd, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

DEADLINE = 3.0 + 1.0
"""Seconds in which a run has ended that meets nothing slow: what is due so soon is waited for."""
HANGS = 30.0
SLOW_DOWN = Throttled(Stage.MAIL, Reply(421, "4.7.0 slow down"))


async def ended(table: Bench, seconds: float = DEADLINE) -> float:
    """Run the worker, which must end in so many seconds; return how many it took."""
    began = table.clock.monotonic()
    await table.run(seconds)
    assert table.has_ended
    return table.clock.monotonic() - began


async def test_a_backlog_is_sent_and_marked_with_one_poll() -> None:
    """However long it is, and however slow the relay: nothing that is due is left to the next run."""
    messages = crowd(300)
    async with bench(*messages, schedule=None) as table:
        table.transport.take(2.0)
        assert await ended(table, 3600) > 300 / 4 * 2.0
        assert table.source.calls.count("list_ready") == 1
        assert table.source.sent == {of.id for of in messages}
        assert table.said("schedule_over") == []


@pytest.mark.parametrize("seconds", [0.0, 0.5])
async def test_several_messages_to_one_address_go_one_after_the_other(seconds: float) -> None:
    """The last one, too, although nothing may go while the one before is in flight."""
    async with bench(message(A), message(A), message(A), schedule=None) as table:
        table.transport.take(seconds)
        await ended(table)
        assert await table.counts() == {State.SENT: 3}


@pytest.mark.parametrize(("throttled", "counts"), [(3, {State.SENT: 20}), (5, {State.QUEUED: 20})])
async def test_the_pace_of_a_relay_is_kept_where_it_is_not_too_slow(throttled: int, counts: dict[State, int]) -> None:
    """A second between two mails is waited for; with four of them, the backlog is left to the next runs."""
    messages = crowd(20)
    async with bench(*messages, schedule=None) as table:
        for of in messages[:throttled]:
            table.transport.script(of.recipients[0], SLOW_DOWN)
        await ended(table, 60.0)
        assert await table.counts() == counts


async def test_an_empty_queue_ends_at_once() -> None:
    """Cron calls every minute."""
    async with bench(schedule=None) as table:
        assert await ended(table) < 0.1
        assert table.source.calls == ["standing", "list_ready"]


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (NO, State.FAILED),
        (LATER, State.QUEUED),
        (DOWN, State.QUEUED),
        (RelayDown(Stage.AUTH, "535", "mend it", lasting=True), State.QUEUED),
        (SLOW_DOWN, State.QUEUED),
    ],
)
async def test_what_has_to_wait_is_left_to_the_next_run(verdict: Verdict, state: State) -> None:
    """A relay that is down, a refusal for now, a pause: the run ends, and does not sit there until it is over."""
    async with bench(message(A), schedule=None) as table:
        table.transport.always(verdict)
        await ended(table)
        assert len(table.transport.tried) == 1
        assert await table.counts() == {state: 1}


async def test_what_the_next_run_finds_due_goes() -> None:
    """The ledger remembers it; what the last run left unmarked is marked."""
    first, second = message(A), message(B)
    async with bench(first, second, schedule=None) as table:
        table.transport.script(A, LATER)
        table.source.cursed[second.id] = fault(ServerFaultKind.OVERLOADED)
        await ended(table)
        assert table.source.sent == set()
        await table.kill()
        table.source.cursed.clear()
        await asyncio.sleep(60)
        await ended(table)
        assert table.source.sent == {first.id, second.id}
        assert table.transport.recipients == [A, B, A]


async def test_a_server_that_cannot_be_polled_ends_the_run() -> None:
    """Nothing is mailed before a good poll: the machine's clock may be wrong, and the message gone."""
    async with bench(message(A), schedule=None) as table:
        table.source.down = fault(ServerFaultKind.UNREACHABLE)
        await ended(table)
        assert table.transport.tried == []
        assert table.said() == ["server_down"]


async def test_a_ledger_that_cannot_be_written_ends_the_run() -> None:
    """A full disk is not waited for; what was sent is marked all the same."""
    of = message(A)
    async with bench(of, schedule=None) as table:
        table.faults.before.update({"settle", "marked"})
        await ended(table, 20.0)
        assert len(table.transport.tried) == 1
        assert table.source.sent == {of.id}


async def test_an_attempt_that_takes_long_is_waited_for_and_a_stop_begins_nothing_new() -> None:
    """What was begun is finished and marked."""
    messages = crowd(8)
    async with bench(*messages, schedule=None) as table:
        table.transport.take(HANGS)
        await table.run(HANGS / 2)
        await table.stop(within=HANGS)
        assert len(table.transport.tried) == 4
        assert len(table.source.sent) == 4


async def test_a_link_that_is_over_expires() -> None:
    """As usual: it is not mailed."""
    of = message(A, content=reset(expires_at=NOW + timedelta(minutes=5)))
    async with bench(of, message(B), schedule=None) as table:
        table.transport.script(A, LATER)
        await ended(table)
        await table.kill()
        await asyncio.sleep(600)
        await ended(table)
        assert await table.states(of) == [State.EXPIRED]
        assert table.transport.recipients == [A, B]
