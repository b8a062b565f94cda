"""What goes to the relay, and when: four at a time, one to each address, around mails that hang and a relay that is down."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import State
from mail_sender.sender.config import RetryConfig
from mail_sender.verdict import Refused, RelayDown, Reply, Stage
from tests.support.memory_source import fault
from tests.support.samples import (
    DOWN,
    ELLIE,
    HOUR,
    LATER,
    MINUTE,
    NOW,
    SECOND,
    A,
    B,
    C,
    D,
    E,
    crowd,
    message,
    reset,
)
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

BAD_LOGIN = RelayDown(Stage.AUTH, "login refused", "mend it", lasting=True, reply=Reply(535, "5.7.8 no"))


# Four at a time


async def test_four_mails_are_in_flight_at_a_time() -> None:
    """Not fewer where there are more, and the next one starts when one ends."""
    async with bench(*crowd(10)) as table:
        table.transport.take(10.0)
        await table.run(5)
        assert table.transport.in_flight.total() == 4
        await table.run(26)
        assert len(table.transport.tried) == 10
        assert table.transport.most_in_flight == 4
        assert table.transport.times == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21]  # the first ones follow each other


async def test_a_hundred_to_one_address_do_not_hold_up_another() -> None:
    """However many of one person's messages are older."""
    crowd = [message(ELLIE, send_after=NOW - HOUR) for _ in range(100)]
    async with bench(*crowd, message(B)) as table:
        table.transport.take(10.0)
        await table.run(5)
        assert sorted(table.transport.recipients) == [B, ELLIE]


async def test_one_that_waits_for_its_retry_does_not_hold_back_a_later_one() -> None:
    """A newer message to the same person goes meanwhile."""
    first, second = message(ELLIE, send_after=NOW - 2 * MINUTE), message(ELLIE)
    async with bench(first, second) as table:
        table.transport.script(ELLIE, LATER)
        await table.run(5)
        assert await table.states(first, second) == [State.QUEUED, State.SENT]
        await table.run(40)
        assert await table.states(first) == [State.SENT]


async def test_a_backlog_is_not_read_again_for_every_mail() -> None:
    """What was read together is mailed before the ledger is read again."""
    async with bench(*crowd(200), schedule="@hourly") as table:
        table.transport.take(1.0)
        reads, original = 0, table.ledger.due

        async def due(now: datetime, *asked: Any, **named: Any) -> Sequence[Delivery]:
            nonlocal reads
            reads += 1
            return await original(now, *asked, **named)

        table.ledger.due = due  # type: ignore[method-assign]  # it counts
        await table.run(60)
        assert await table.counts() == {State.SENT: 200}
        assert reads < 20


# Retries


async def test_a_refusal_for_now_is_tried_again_five_times_and_then_abandoned() -> None:
    """At growing distances; it is not marked, and nothing goes out ever after."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        table.transport.script(A, *[LATER] * 10)
        await table.run(3 * 3600)
        assert len(table.transport.tried) == 6
        waits = [later - earlier for earlier, later in pairwise(table.transport.times)]
        assert waits == pytest.approx([30, 120, 360, 720, 1200], rel=0.21)
        (found,) = await table.deliveries(of)
        assert (found.state, found.attempts) == (State.ABANDONED, 6)
        assert (table.said("abandoned"), table.source.marks) == (["abandoned"], [])


async def test_a_relay_that_limits_connections_is_not_called_down() -> None:
    """One is turned away while others are served: that is said of the mail, and the breaker stays closed."""
    messages = crowd(20)
    async with bench(*messages) as table:
        table.transport.take(1.0)
        for refused in ("7@example.com", "12@example.com"):
            table.transport.script(
                refused, RelayDown(Stage.BANNER, "421 too many connections", "wait", lasting=False)
            )
        await table.run(300)
        assert await table.counts() == {State.SENT: 20}
        assert table.said("relay_down", "relay_up", "put_off") == ["put_off", "put_off"]
        assert "421 too many connections; other mail goes on" in table.facts("put_off")[0]["message"]


# A relay that hangs


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DOT])
async def test_a_mail_that_hangs_holds_up_nothing_but_itself(stage: Stage) -> None:
    """Polls, marks and three connections go on for an hour, and whoever is queued later is mailed at once."""
    async with bench(message(A), schedule="*/30 * * * * *") as table:
        table.transport.slow(A, math.inf, stage)
        await table.run(60)
        for _ in range(3):
            later = [replace(of, send_after=table.clock.now() - SECOND) for of in crowd(30)]
            table.source.messages += later
            table.transport.take(1.0)
            await table.run(41)
            assert {of.id for of in later} <= table.source.sent
        polls = table.source.calls.count("list_ready")
        await table.run(3600)
        assert table.source.calls.count("list_ready") == polls + 120
        assert table.transport.in_flight.total() == 1
        await table.kill()


async def test_four_mails_that_hang_leave_polls_and_marks_alone() -> None:
    """Nothing more can go out, but the queue is read and the server gets its marks."""
    messages = [message(to) for to in (A, B, C, D, E)]
    done = message("done@example.com", send_after=NOW - 100 * SECOND)
    async with bench(done, *messages) as table:
        table.source.script("mark_sent", *[fault(ServerFaultKind.UNREACHABLE)] * 3)
        for to in (A, B, C, D, E):
            table.transport.slow(to, math.inf)
        await table.run(120)
        assert table.transport.in_flight.total() == 4
        assert table.source.sent == {done.id}
        assert table.source.calls.count("list_ready") == 24
        await table.kill()


# A relay that is down


async def outage(table: Bench, verdict: RelayDown, seconds: float) -> list[float]:
    """Have the relay be down for so long; return when it was tried, once at a time."""
    table.transport.always(verdict)
    await table.run(seconds)
    assert len({*table.transport.times}) == len(table.transport.times)
    return table.transport.times


async def test_an_hour_without_a_relay_costs_nobody_anything() -> None:
    """No attempt is counted, each probe is one mail, and the backlog is drained by the first one that is accepted."""
    messages = crowd(100)
    async with bench(*messages, schedule="0 0 12 * * *") as table:
        times = await outage(table, DOWN, 3600)
        assert [later - earlier for earlier, later in pairwise(times)] == [5, 10, 20] + [30] * (len(times) - 4)
        assert 118 <= len(times) <= 124
        assert await table.counts() == {State.QUEUED: 100}
        assert {found.attempts for of in messages for found in await table.deliveries(of)} == {0}
        assert table.said() == ["server_ready", "relay_down"]
        table.transport.always(None)
        table.transport.take(0.1)
        await table.run(60)
        assert await table.counts() == {State.SENT: 100}
        assert table.source.sent == {of.id for of in messages}
        assert table.said("relay_down", "relay_up") == ["relay_down", "relay_up"]
        assert {found.attempts for of in messages for found in await table.deliveries(of)} == {1}
        assert table.facts("relay_up")[0]["down_seconds"] in range(3600, 3632)


async def test_a_mail_that_breaks_the_connection_does_not_hold_up_the_others() -> None:
    """A relay that cuts the connection whenever it sees one message: others try next, and go."""
    cut = RelayDown(Stage.DATA, "connection cut", "look", lasting=False)
    poison = [message(A, send_after=NOW - HOUR) for _ in range(5)]
    async with bench(*poison, message(B)) as table:
        table.transport.script(A, *[cut] * 1_000)
        await table.run(120)
        assert B in table.transport.recipients
        table.source.messages.append(message(C, send_after=table.clock.now() - SECOND))
        await table.run(60)
        assert C in table.transport.recipients
        assert {found.attempts for of in poison for found in await table.deliveries(of)} == {0}


async def test_marks_are_set_while_the_relay_is_down() -> None:
    """What was sent before is none of the relay's business any more."""
    first = message(A)
    async with bench(first) as table:
        table.source.script("mark_sent", fault(ServerFaultKind.UNREACHABLE))
        await table.run(3)
        table.transport.always(DOWN)
        table.source.messages.append(message(B))
        await table.run(30)
        assert table.source.sent == {first.id}


async def test_the_operator_may_have_the_relay_probed_at_once() -> None:
    """A flush does not wait for the next probe."""
    async with bench(message(A)) as table:
        table.transport.always(BAD_LOGIN)
        await table.run(10)
        table.transport.always(None)
        table.worker.probe()
        await table.run(1)
        assert table.source.sent


async def test_a_configuration_that_may_not_send_fails_nobodys_mail() -> None:
    """All is refused for hours: nothing fails, few are tried, and all goes when it is mended."""
    async with bench(*crowd(100), schedule="@hourly") as table:
        table.transport.always(Refused(Stage.RCPT, "refused by the relay", Reply(554, "5.7.1 relaying denied")))
        await table.run(2 * 3600)
        assert await table.counts() == {State.QUEUED: 100}
        assert len(table.transport.tried) < 2 * 3600 / 60 + 20
        table.transport.always(None)
        await table.run(600)
        assert await table.counts() == {State.SENT: 100}


# Crashes


async def test_a_mail_whose_message_was_withdrawn_leaves_the_probe_to_the_next() -> None:
    """The breaker is open, the probe's message was marked by somebody else: the next mail is the probe."""
    gone, other = message(A, send_after=NOW - HOUR), message(B)
    async with bench(gone, other, schedule="@hourly") as table:
        table.transport.always(DOWN)
        await table.run(120)
        table.source.sent.add(gone.id)
        tried = len(table.transport.tried)
        table.transport.always(None)
        await table.run(60)
        assert await table.states(gone, other) == [State.WITHDRAWN, State.SENT]
        assert table.transport.recipients[tried:] == [B]


@pytest.mark.parametrize("late", [True, False])
async def test_a_command_that_comes_between_the_reading_and_a_step_is_no_crash(late: bool) -> None:
    """The operator gives up what is just about to expire, or to be sent: the sender goes on."""
    of, other = message(A), message(B)
    async with bench(of, retry=RetryConfig(max_age=timedelta(minutes=5)), schedule="@hourly") as table:
        original = table.ledger.due

        async def due(now: datetime, *asked: Any, **named: Any) -> Sequence[Delivery]:
            found = await original(now, *asked, **named)
            for one in found:
                if (one.deadline <= now) is late:
                    await table.ledger.apply_command(one, Outcome(State.ABANDONED, now, 0, 0), now)
            return found

        table.ledger.due = due  # type: ignore[method-assign]  # this is how the operator comes in between
        table.transport.always(DOWN)
        await table.run(600)
        assert await table.states(of) == [State.ABANDONED]
        table.ledger.due = original  # type: ignore[method-assign]  # as it was
        table.transport.always(None)
        table.source.messages = [other]
        await table.run(3600)
        assert await table.states(other) == [State.SENT]


async def test_what_waits_in_a_ledger_before_the_first_poll_is_neither_mailed_nor_expired() -> None:
    """A machine that starts a day ahead would take living links for dead ones: the server's time is waited for."""
    of = message(A, content=reset(expires_at=NOW + 55 * MINUTE))
    async with bench(of) as table:
        table.transport.always(DOWN)
        await table.run(60)
        await table.kill()
        table.clock.off = timedelta(days=1)
        table.clock.learn(None)
        table.source.date = lambda: table.clock.true
        table.source.slow["list_ready"] = 20.0
        table.transport.always(None)
        await table.run(60)
        assert await table.states(of) == [State.SENT]


async def test_the_next_mail_goes_while_an_outcome_is_written() -> None:
    """A connection does not wait for the disk; the next mail for the same address does."""
    crowd_and_two = [*crowd(8), message(A, send_after=NOW - HOUR), message(A)]
    async with bench(*crowd_and_two, schedule="@hourly") as table:
        table.transport.take(0.5)
        original = table.ledger.settle

        async def settle(*given: Any) -> bool:
            await asyncio.sleep(20)  # in made-up time: the disk is slow
            return await original(*given)

        table.ledger.settle = settle  # type: ignore[method-assign, assignment]  # it is late
        await table.run(15)
        assert len(table.transport.tried) == 9
        assert await table.counts() == {State.PROCESSING: 9, State.QUEUED: 1}
        await table.run(60)
        assert await table.counts() == {State.SENT: 10}
