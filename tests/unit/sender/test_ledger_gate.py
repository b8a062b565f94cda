"""A ledger that fails: nothing is lost, nothing is copied, and what is sent is marked all the same."""

import asyncio
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import State
from mail_sender.sender.in_flight import InFlight
from mail_sender.verdict import Stage
from tests.support.memory_source import fault
from tests.support.samples import CUT, DOWN, HOUR, LATER, NO, NOW, SECOND, A, B, C, D, crowd, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import FULL, bench

pytestmark = VIRTUAL_TIME

HOURLY = "@hourly"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_outcome_that_the_ledger_does_not_take_is_written_later(when: str) -> None:
    """It is marked meanwhile; no copy goes out, however long it takes, and the ledger has it all in the end."""
    of = message(A)
    async with bench(of) as table:
        getattr(table.faults, when).update({"settle", "marked"})
        await table.run(600)
        assert len(table.transport.tried) == 1
        assert table.source.sent == {of.id}
        assert table.source.marks == [of.id]
        table.faults.mend()
        await table.run(60)
        (found,) = await table.deliveries(of)
        assert (found.state, found.attempts, found.ambiguous) == (State.SENT, 1, 0)
        assert len(table.transport.tried) == 1
        entry = await table.entry(of)
        assert entry.marked_at is not None
        assert [line.verdict for line in entry.history] == ["accepted"]
        assert entry.queue_id == "4D2F"


async def test_a_mail_whose_outcome_was_never_written_is_not_sent_again_where_it_is_marked() -> None:
    """Killed while the disk was full: the ledger only knows of the dot, but the server knows that it is sent."""
    of = message(A)
    async with bench(of) as table:
        table.faults.before.update({"settle", "marked"})
        await table.run(20)
        assert table.source.sent == {of.id}
        await table.kill()
        table.faults.mend()
        await table.run(600)
        assert len(table.transport.tried) == 1
        assert await table.states(of) == [State.UNKNOWN]


STEPS = ("outcome", "mark", "marked")
SEQUENCES = [steps for count in range(len(STEPS) + 1) for steps in permutations(STEPS, count)]


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("steps", SEQUENCES, ids=", ".join)
async def test_no_sequence_of_outcome_mark_and_end_makes_a_copy_of_what_anybody_knows(
    steps: tuple[str, ...], end: str
) -> None:
    """The relay has the mail; what then becomes possible, one after the other, before the process ends.

    A second mail goes out only where neither the ledger nor the server had heard of the first one, and never a third.
    """
    of = message(A)
    async with bench(of, schedule="*/20 * * * * *") as table:
        table.faults.before.update({"settle", "marked"})
        table.source.cursed[of.id] = fault(ServerFaultKind.ERROR)
        await table.run(10)
        for step in steps:
            if step == "mark":
                table.source.cursed.clear()
            else:
                table.faults.before.remove({"outcome": "settle"}.get(step, step))
            await table.run(40)
        is_known = await table.states(of) == [State.SENT] or of.id in table.source.sent
        await getattr(table, end)()
        table.in_flight = InFlight()  # another process
        table.faults.mend()
        table.source.cursed.clear()
        await table.run(1_200)
        assert len(table.transport.arrived) == (1 if is_known else 2)
        assert is_known == bool({"outcome", "mark"} & {*steps})
        assert table.source.sent == {of.id}
        assert await table.states(of) == [State.SENT if "outcome" in steps or not is_known else State.UNKNOWN]


async def test_a_stop_waits_for_a_ledger_that_is_locked_for_a_moment() -> None:
    """Whoever looked at it with another program lets go of it: the outcome is written before the process ends."""
    of = message(A)
    async with bench(of) as table:
        table.faults.before.add("settle")
        await table.run(10)
        table.ask_to_stop()
        await table.run(2)
        table.faults.mend()
        await table.stop()
        entry = await table.entry(of)
        assert (entry.delivery.state, entry.marked_at is not None) == (State.SENT, True)


async def test_what_is_sent_is_marked_though_nothing_of_the_ledger_answers() -> None:
    """A disk that is gone takes the reading with it: what is known to be sent is marked all the same."""
    of = message(A)
    async with bench(of) as table:
        table.transport.slow(A, 1.0, Stage.DOT)
        await table.run(0.5)
        table.faults.before.update(
            {"settle", "marked", "unmarked", "due", "next_due", "interrupted", "admit", "forget"}
        )
        await table.run(60)
        assert table.source.sent == {of.id}


@pytest.mark.parametrize("verdict", [LATER, NO, CUT, DOWN])
async def test_any_outcome_is_written_later(verdict: Any) -> None:
    """What the relay said counts once, whenever it is written."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        table.transport.script(A, verdict)
        table.faults.before.add("settle")
        await table.run(8)
        assert len(table.transport.tried) == 1
        assert await table.states(of) == [State.PROCESSING]
        table.faults.mend()
        await table.run(6)
        (found,) = await table.deliveries(of)
        expected = {LATER: (State.QUEUED, 1, 0), NO: (State.FAILED, 1, 0), CUT: (State.QUEUED, 0, 1)}
        if verdict is not DOWN:
            assert (found.state, found.attempts, found.ambiguous) == expected[verdict]
        await table.run(400)
        assert await table.states(of) == [State.FAILED if verdict is NO else State.SENT]


STOPS = {"begin", "dot", "settle", "due", "admit"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", [*sorted(STOPS), *["interrupted", "next_due", "unmarked", "marked", "forget", "find"]]
)
async def test_a_call_that_fails_for_a_while_loses_nothing_and_makes_no_copy(call: str, when: str) -> None:
    """Ten minutes of it make no storm at disk, relay and log; then every message is sent, counted and marked once."""
    messages = crowd(6)
    async with bench(*messages) as table:
        getattr(table.faults, when).add(call)
        await table.run(600)
        said = table.said("ledger_down", "ledger_up")
        if call in STOPS and when == "before":
            assert said == ["ledger_down"]
            assert len(table.clock.waits) < 900
        assert len(table.transport.tried) <= 8 * 600 / 5
        if call == "dot":
            assert table.transport.tried
            assert table.transport.arrived == []
        table.faults.mend()
        await table.run(90)
        assert table.said("ledger_down", "ledger_up") == [*said, "ledger_up"][: 2 * bool(said)]
        assert await table.counts() == {State.SENT: 6}
        assert len(table.transport.arrived) == 6
        found = [found for of in messages for found in await table.deliveries(of)]
        assert {(one.attempts, one.ambiguous) for one in found} == {(1, 0)}
        assert sorted(table.source.marks) == [of.id for of in messages]
        assert await table.ledger.unmarked(table.clock.now()) == []


async def test_a_mail_that_ends_while_lost_claims_are_looked_for_keeps_its_outcome() -> None:
    """What was in flight when the question was asked is not taken for lost when the answer comes."""
    slow, lost = message(A, send_after=NOW - HOUR), message(B, send_after=NOW + 2 * SECOND)
    async with bench(slow, lost) as table:
        table.transport.slow(A, 12.0, Stage.DOT)
        await table.run(4)
        table.faults.after.add("begin")
        await table.run(2)
        assert await table.states(slow, lost) == [State.PROCESSING, State.PROCESSING]
        table.faults.mend()
        original_call, late = table.ledger.interrupted, asyncio.Event()

        async def interrupted() -> Sequence[Delivery]:
            found = await original_call()
            await table.clock.wait(late, 10.0)
            return found

        table.ledger.interrupted = interrupted  # type: ignore[method-assign]  # it answers late
        await table.run(60)
        assert not table.has_ended
        (found,) = await table.deliveries(slow)
        assert (found.state, found.attempts, found.ambiguous) == (State.SENT, 1, 0)
        assert await table.states(lost) == [State.SENT]
        assert [mail.recipient for mail in table.transport.tried] == [A, B]


async def test_a_fault_ends_the_turn_nothing_more_is_written_or_begun() -> None:
    """Of twenty that have expired one is tried: on a locked disk each try may take seconds, and a stop waits for it."""
    slow = [message(recipient, send_after=NOW - 100 * SECOND) for recipient in (A, B, C, D)]
    expired = [message(f"{number}@example.com", delete_after=NOW + 30 * SECOND) for number in range(20)]
    async with bench(*slow, *expired, schedule=HOURLY) as table:
        for recipient in (A, B, C, D):
            table.transport.slow(recipient, 2_000.0, Stage.RCPT)
        await table.run(40)
        table.faults.after.add("settle")
        table.worker.wake()
        await table.run(1)
        assert (await table.counts())[State.EXPIRED] == 1
        table.faults.mend()
        await table.run(10)
        assert (await table.counts())[State.EXPIRED] == 20
        await table.kill()


async def test_a_claim_that_is_lost_while_another_recovery_begins_is_found() -> None:
    """Both answers of the ledger come in one turn of the loop: the lost claim is not taken for one in flight."""
    slow, lost = message(A, send_after=NOW - HOUR), message(B)
    async with bench(slow, lost, schedule=HOURLY) as table:
        table.transport.slow(A, 2.0, Stage.RCPT)
        table.start()
        begun, settled = asyncio.Event(), asyncio.Event()
        ledger = _Late(table.worker._parts.ledger, begun, settled)
        object.__setattr__(table.worker._parts, "ledger", ledger)
        await table.run(9)
        begun.set()
        settled.set()
        await table.run(1_800)
        assert await table.states(slow, lost) == [State.SENT, State.SENT]


class _Late:
    """A ledger whose first settling fails, whose second one is answered late, and which loses the claim on B, late."""

    def __init__(self, ledger: Any, begun: asyncio.Event, settled: asyncio.Event) -> None:
        self._ledger = ledger
        self._begun = begun
        self._settled = settled
        self._settlings = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def begin(self, delivery: Delivery) -> Delivery:
        claimed: Delivery = await self._ledger.begin(delivery)
        if delivery.recipient == B and not self._begun.is_set():
            await self._begun.wait()
            raise FULL
        return claimed

    async def settle(self, *given: Any) -> bool:
        self._settlings += 1
        if self._settlings == 1:
            raise FULL
        done: bool = await self._ledger.settle(*given)
        if self._settlings == 2:
            await self._settled.wait()
        return done


@pytest.mark.parametrize("is_shared", [True, False])
async def test_what_another_process_leaves_behind_is_found_without_a_fault(is_shared: bool) -> None:
    """In a ledger that is shared it is looked for every few seconds: the other one may end at any time."""
    of = message(A)
    async with bench(of) as table:
        await table.run(1)
        assert len(table.transport.tried) == 1
        other = message(B)
        await table.ledger.admit([other], table.clock.now(), HOUR)
        table.ledger.is_shared = is_shared
        (found,) = await table.ledger.deliveries(other.id)
        await table.ledger.begin(found)
        await table.run(30)
        (found,) = await table.ledger.deliveries(other.id)
        assert (found.state is State.PROCESSING) is not is_shared
