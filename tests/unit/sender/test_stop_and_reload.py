"""How a worker ends: by a stop, by a kill, by its schedule, and in favour of one with a new configuration."""

import pytest

from mail_sender.ledger.states import State
from mail_sender.verdict import RelayDown, Stage
from tests.support.memory_source import Call
from tests.support.samples import (
    ELLIE,
    LATER,
    A,
    B,
    C,
    D,
    message,
)
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME


# Stopping


async def test_a_stop_before_the_start_does_nothing() -> None:
    """Not even a poll."""
    async with bench(message()) as table:
        table.start()
        await table.stop(within=0.1)
        assert table.source.calls == []
        assert table.transport.tried == []


async def test_a_stop_starts_nothing_new_and_finishes_what_is_in_flight() -> None:
    """The four mails in flight are settled and marked; the fifth stays queued."""
    messages = [message(to) for to in (A, B, C, D, ELLIE)]
    async with bench(*messages) as table:
        table.transport.take(5.0)
        await table.run(3.5)
        await table.stop(within=5)
        assert sorted(table.transport.recipients) == [A, B, C, D]
        assert table.source.sent == {of.id for of in messages[:4]}
        assert await table.states(messages[4]) == [State.QUEUED]


@pytest.mark.parametrize("call", ["standing", "list_ready", None])
async def test_a_stop_waits_neither_for_a_poll_that_hangs_nor_for_the_next_one(call: Call | None) -> None:
    """Nobody needs the answer any more."""
    async with bench(message(), schedule="@yearly") as table:
        if call:
            table.source.slow[call] = float("inf")
        await table.run(3600)
        await table.stop(within=0.1)
        assert bool(table.source.sent) is (call is None)


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DOT])
async def test_a_worker_that_is_cancelled_in_a_mail_leaves_the_ledger_true(stage: Stage) -> None:
    """What was at its dot is found there at the next start; what was not is sent as if nothing had been."""
    of = message(A)
    async with bench(of) as table:
        table.transport.slow(A, float("inf"), stage)
        await table.run(1)
        await table.kill()
        (left,) = await table.deliveries(of)
        assert (left.state, left.dot) == (State.PROCESSING, stage is Stage.DOT)
        table.transport.slow(A, 0.0)
        await table.run(300)
        lines = [(line.stage, line.verdict) for line in (await table.entry(of)).history]
        assert lines == [("dot" if left.dot else "mail", "interrupted"), ("dot", "accepted")]
        assert table.said("interrupted") == ["interrupted"]
        (end,) = await table.deliveries(of)
        assert (end.state, end.attempts, end.ambiguous) == (State.SENT, 1, int(stage is Stage.DOT))
        wait = table.transport.times[1] - table.transport.times[0]
        assert (120 <= wait <= 130) if stage is Stage.DOT else wait < 5
        assert table.source.marks == [of.id]


@pytest.mark.parametrize("call", ["mark_sent", "read"])
async def test_a_stop_lets_a_call_to_the_server_end(call: Call) -> None:
    """A mark, or a message that is read again: nothing is lost, and nothing is left behind it."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        table.transport.script(A, LATER)
        await table.run(20)
        table.source.slow[call] = 3.0
        while call not in table.source.calls:
            await table.run(1)
        await table.stop(within=3.0)
        assert await table.states(of) == [State.SENT]
        assert table.source.sent == {of.id}


# A changed configuration


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DOT])
async def test_a_mail_in_flight_ends_beside_the_new_worker(stage: Stage) -> None:
    """It is not taken for one that was left behind, nobody else writes to that address, and the others go on."""
    slow, same, other = message(A), message(A), message(B)
    async with bench(slow) as table:
        table.transport.slow(A, 30.0, stage)
        await table.run(5)
        table.change()
        table.source.messages += [same, other]
        await table.run(20)
        assert table.transport.recipients == [A, B]
        assert await table.states(slow, same, other) == [State.PROCESSING, State.QUEUED, State.SENT]
        await table.run(60)
        (found,) = await table.deliveries(slow)
        assert (found.state, found.attempts, found.ambiguous) == (State.SENT, 1, 0)
        assert table.transport.recipients == [A, B, A]
        assert table.source.sent == {slow.id, same.id, other.id}
        assert table.said("interrupted") == []


async def test_an_outcome_that_was_not_written_under_the_old_configuration_is_under_the_new() -> None:
    """The disk is full across the change: the mail is not sent again, and the ledger has it in the end."""
    of = message(A)
    async with bench(of) as table:
        table.faults.before.update({"settle", "marked"})
        await table.run(20)
        table.change()
        await table.run(60)
        table.faults.mend()
        await table.run(90)
        assert await table.states(of) == [State.SENT]
        assert len(table.transport.tried) == 1


async def test_a_claim_that_was_lost_under_the_old_configuration_is_recovered_under_the_new() -> None:
    """`begin` was written, nobody heard of it, and the worker that made it was retired before it could recover it."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        table.source.slow["read"] = 20.0
        table.transport.script(A, LATER)
        await table.run(40)
        assert table.source.calls[-1] == "read"
        table.change()
        await table.run(1)
        table.faults.after.add("begin")
        await table.run(20)
        assert await table.states(of) == [State.PROCESSING]
        table.faults.mend()
        await table.run(90)
        assert await table.states(of) == [State.SENT]
        assert len(table.transport.tried) == 2


async def test_a_new_configuration_is_tried_at_once() -> None:
    """A login that was mended does not wait for the next probe."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        table.transport.always(RelayDown(Stage.AUTH, "535", "mend it", lasting=True))
        await table.run(600)
        table.transport.always(None)
        table.change()
        await table.run(1)
        assert table.source.sent == {of.id}


async def test_a_schedule_that_is_over_ends_the_sender() -> None:
    """After its last tick, with a word, and with all that it saw sent and marked."""
    async with bench(message(A), schedule="0 0 13 21 11 * 2026") as table:
        await table.run(7200)
        assert table.has_ended
        assert table.source.calls.count("list_ready") == 2
        assert table.said()[-1] == "schedule_over"
        assert len(table.source.sent) == 1
