"""Limits for the sender's reputation, through the whole worker: what goes when, what is held back, what is said."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from mail_sender.ledger.base import Outcome
from mail_sender.ledger.states import State
from mail_sender.message import Message
from mail_sender.sender.config import ReputationConfig, RetryConfig
from mail_sender.sender.disposable import Disposable
from mail_sender.sender.limits import Limit, Limits
from mail_sender.sender.warm_up import WarmUp
from tests.support.samples import DAY, ELLIE, HOUR, LATER, MINUTE, NOW, SECOND, A, B, crowd, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME


def limited(
    messages: Iterable[Message], disposable: Disposable | None = None, schedule: str = "@hourly", **limits: Any
) -> Bench:
    """Return a bench with limits."""
    reputation = ReputationConfig(Limits(relay="relay.example.com", **limits), disposable or Disposable())
    return bench(*messages, schedule=schedule, reputation=reputation)


def most_within(times: list[float], seconds: float) -> int:
    """Return how many there are within any time of that length, at most."""
    return max(sum(start <= at < start + seconds for at in times) for start in times)


# A minute


async def test_no_minute_has_more_mails_than_are_allowed() -> None:
    """300 mails at 60 a minute take four minutes and a moment: the first 60 go at once."""
    async with limited(crowd(300), per_minute=60) as table:
        await table.run(239)
        assert len(table.transport.tried) == 240
        await table.run(10)
        assert await table.counts() == {State.SENT: 300}
        assert most_within(table.transport.times, 60) == 60
        assert table.transport.times[59] < 5


async def test_a_restart_begins_no_minute_anew() -> None:
    """What went before it is counted from the ledger."""
    async with limited(crowd(100), per_minute=20) as table:
        for _ in range(10):
            await table.run(21)
            await table.kill()
        assert most_within(table.transport.times, 60) == 20
        assert len(table.transport.tried) == 80


async def test_a_hold_is_said_once_when_it_begins_and_once_when_it_ends() -> None:
    """Not for each mail; beside the log, the worker has it as data as long as it lasts."""
    async with limited(crowd(300), per_minute=60) as table:
        await table.run(30)
        (held,) = table.worker.held_back()
        assert (held.limit, held.deliveries, held.since) == (Limit.PER_MINUTE, 240, NOW)
        assert held.reason == "the limit of 60 mails a minute is reached ([relay] per_minute)"
        assert 0 < (held.until - table.clock.now()).total_seconds() <= 31
        await table.run(140)
        (held,) = table.worker.held_back()
        assert (held.deliveries, held.since) == (120, NOW)
        await table.run(200)
        assert table.worker.held_back() == ()
        assert table.said("held_back", "released", "over_limit") == ["held_back", "released"]
        (begun,) = table.facts("held_back")
        assert (begun["limit"], begun["deliveries"]) == ("per_minute", 240)


async def test_a_hold_does_not_spin() -> None:
    """The ledger is asked for what is due a few times for each mail that goes, and not at all meanwhile."""
    async with limited(crowd(30), per_minute=10) as table:
        calls: Counter[str] = Counter()
        original = table.ledger._writer.do

        async def do(*given: Any, **named: Any) -> Any:
            calls["do"] += 1
            return await original(*given, **named)

        table.ledger._writer.do = do  # type: ignore[method-assign]  # it counts
        await table.run(50)
        in_the_first_minute = calls["do"]
        await table.run(5)
        assert calls["do"] == in_the_first_minute
        await table.run(80)
        assert len(table.transport.tried) == 30
        assert calls["do"] < 30 * 12


async def test_without_limits_the_ledger_is_asked_for_nothing_more() -> None:
    """Neither what was accepted nor when something began."""
    async with bench(*crowd(20)) as table:
        table.faults.before |= {"accepted", "began", "count"}
        await table.run(30)
        assert await table.counts() == {State.SENT: 20}


async def test_a_hold_ends_when_its_time_has_come_and_not_at_the_next_occasion() -> None:
    """The loop wakes up for it."""
    async with limited(crowd(4), per_minute=2) as table:
        await table.run(20)
        await table.kill()
        await table.run(43)
        assert len(table.transport.tried) == 4


# One recipient


async def test_a_limit_for_one_recipient_holds_up_nobody_else() -> None:
    """However many of one person's messages are older; they go on when an hour is over, in their order."""
    ellies = [message(ELLIE, send_after=NOW - (200 - age) * SECOND) for age in range(150)]
    async with limited([*ellies, message(B)], per_recipient_per_hour=3) as table:
        await table.run(60)
        assert table.transport.recipients.count(ELLIE) == 3
        assert table.transport.recipients.count(B) == 1
        (held,) = table.worker.held_back()
        assert (held.limit, held.deliveries) == (Limit.PER_RECIPIENT, 147)
        await table.run(3 * 3600)
        assert len(table.transport.times_of(ELLIE)) == 12
        assert most_within(table.transport.times_of(ELLIE), 3600) == 3
        assert [one.state for of in ellies[:12] for one in await table.deliveries(of)] == [State.SENT] * 12
        assert table.said("held_back", "released") == ["held_back"]


async def test_the_history_of_a_delivery_says_why_it_is_held_back() -> None:
    """By one line, however often it is looked at again; no attempt is counted, and the ledger has the time."""
    first, second = message(ELLIE, send_after=NOW - HOUR), message("Ellie@Example.com")
    async with limited([first, second], per_recipient_per_hour=1) as table:
        await table.run(50 * 60)
        entry = await table.entry(second)
        (line,) = entry.history
        assert (line.stage, line.verdict) == ("limit", "held_back")
        assert (
            line.reply == "the limit of 1 mail an hour for one recipient is reached ([relay] per_recipient_per_hour)"
        )
        assert (entry.delivery.state, entry.delivery.attempts) == (State.QUEUED, 0)
        assert NOW + HOUR <= entry.delivery.next_attempt <= NOW + HOUR + 5 * SECOND
        await table.run(11 * 60)
        assert await table.states(first, second) == [State.SENT, State.SENT]


async def test_a_limit_that_is_taken_away_holds_nothing_back() -> None:
    """A change of the configuration queues what was held back; a restart begins no hour anew."""
    async with limited([message(ELLIE) for _ in range(5)], per_recipient_per_hour=2) as table:
        await table.run(30)
        await table.kill()
        await table.run(30)
        assert len(table.transport.tried) == 2
        table.reputation = ReputationConfig()
        table.change()
        await table.run(30)
        assert len(table.transport.tried) == 5


# A warm-up


async def test_a_warm_up_lets_more_mails_go_each_day_and_restarts_change_nothing() -> None:
    """Each day (UTC) at most `start` times `factor` to the power of the days before; after the last day any number."""
    people = [message(f"{n}@example.com", delete_after=NOW + 30 * DAY) for n in range(200)]
    async with limited(people, schedule="@daily", warm_up=WarmUp(3, 1.2, 14)) as table:
        table._retry = RetryConfig(max_age=30 * DAY)
        for _ in range(30):  # a minute at noon and one at midnight, each after a restart
            await table.run(60)
            await table.kill()
            await asyncio.sleep(12 * 3600 - 60)
        await table.run(1)
        by_day = Counter(int((at + 12 * 3600) // 86_400) for at in table.transport.times)
        allowed = [3, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 26, 32]
        assert [by_day[day] for day in range(15)] == [*allowed, 200 - sum(allowed)]


async def test_a_warm_up_begins_on_its_first_day_and_ends_after_the_last() -> None:
    """A day that the configuration names counts; before it, as on it. The log says which day it is."""
    people = [message(f"{n}@example.com", delete_after=NOW + 30 * DAY) for n in range(50)]
    first = (NOW + DAY).date()
    async with limited(people, schedule="@daily", warm_up=WarmUp(3, 2.0, 2, first)) as table:
        table._retry = RetryConfig(max_age=30 * DAY)
        await asyncio.sleep(12 * 3600 - 60)
        for tried in (6, 12, 50):  # midnight before the first day, before the second, and after the last
            await table.run(120)
            assert len(table.transport.tried) == tried
            await table.kill()
            await asyncio.sleep(86_400 - 120)
        await table.run(1)
        said = {(fact["day"], fact["message"]) for fact in table.facts("warm_up")}
        assert said == {
            (1, "at most 3 mails today (UTC)"),
            (2, "at most 6 mails today (UTC)"),
            (3, "the warm-up is over: any number of mails a day"),
        }


# A deadline


async def test_a_reset_is_never_held_past_its_link() -> None:
    """It goes over the limit, at once where to wait would gain nothing, and that is said once."""
    links = [message(f"{n}@example.com", content=reset(expires_at=NOW + HOUR)) for n in range(20)]
    others = [message(f"{n}@example.org", send_after=NOW - 100 * SECOND) for n in range(20)]
    async with limited([*others, *links], warm_up=WarmUp(5, 1.0, 10)) as table:
        await table.run(60)
        assert await table.counts() == {State.SENT: 25, State.QUEUED: 15}
        assert await table.states(*links) == [State.SENT] * 20
        assert table.said("over_limit", "held_back") == ["over_limit", "held_back"]


async def test_a_reset_waits_for_its_turn_as_long_as_its_link_is_good_for_a_while() -> None:
    """The limit holds until some minutes before the deadline; what is left then goes over it."""
    links = [message(f"{n}@example.com", content=reset(expires_at=NOW + 21 * MINUTE)) for n in range(40)]
    async with limited(links, per_minute=2) as table:
        await table.run(14 * 60 - 2)
        assert len(table.transport.tried) == 28
        await table.run(70)
        assert await table.counts() == {State.SENT: 40}
        assert table.said("over_limit") == ["over_limit"]


async def test_a_limit_that_a_mail_cannot_wait_for_lifts_no_other() -> None:
    """Resets that go over the warm-up's limit still come at the pace that is allowed."""
    links = [message(f"{n}@example.com", content=reset()) for n in range(6)]
    async with limited(links, warm_up=WarmUp(1, 1.0, 5), per_minute=2) as table:
        await table.run(20)
        await table.kill()
        await table.run(45)
        assert len(table.transport.tried) == 4
        await table.run(65)
        assert await table.counts() == {State.SENT: 6}
        assert most_within(table.transport.times, 60) == 2
        assert table.transport.times[-1] < 125


async def test_a_deadline_wins_over_the_limit_of_its_recipient() -> None:
    """The one whose link ends goes; the other one waits."""
    first, link, other = message(ELLIE, send_after=NOW - HOUR), message(ELLIE, content=reset()), message(ELLIE)
    async with limited([first, link, other], per_recipient_per_hour=1) as table:
        await table.run(60)
        assert await table.states(first, link, other) == [State.SENT, State.SENT, State.QUEUED]
        assert table.said("over_limit") == ["over_limit"]


# What counts


async def test_only_what_went_or_may_have_gone_counts() -> None:
    """A refusal costs nothing, so that another mail goes in its place; mails in flight count before they went."""
    async with limited(crowd(10), per_minute=4) as table:
        for refused in range(3):
            table.transport.script(f"{refused}@example.com", LATER)
        table.transport.take(2.0)
        await table.run(29)
        assert len(table.transport.arrived) == 4
        assert table.transport.most_in_flight <= 4


async def test_an_operator_who_makes_everything_due_lifts_no_limit() -> None:
    """As `queue flush` does: what is held back stays so."""
    async with limited([message(ELLIE) for _ in range(4)], per_recipient_per_hour=2) as table:
        await table.run(30)
        for of in table.source.messages:
            for found in await table.deliveries(of):
                if found.state is State.QUEUED:
                    outcome = Outcome(State.QUEUED, table.clock.now(), 0, 0)
                    await table.ledger.apply_command(found, outcome, table.clock.now())
        table.worker.probe()
        await table.run(30)
        assert len(table.transport.tried) == 2
        assert (await table.counts())[State.QUEUED] == 2


async def test_a_ledger_that_fails_at_first_is_asked_again() -> None:
    """No mail goes before it is known what went."""
    async with limited(crowd(5), per_minute=3) as table:
        table.faults.before.add("accepted")
        await table.run(20)
        assert table.transport.tried == []
        table.faults.mend()
        await table.run(20)
        assert len(table.transport.tried) == 3


# Disposable domains

THROWAWAY = frozenset({"throwaway.example"})


@pytest.mark.parametrize("relay_is_down", [False, True])
async def test_mail_to_a_disposable_domain_is_refused_until_an_operator_queues_it_again(relay_is_down: bool) -> None:
    """It fails with a reason that names the list and the cure; subdomains too, and no connection is made for it."""
    of, other = message("x@a.throwaway.example"), message(A)
    async with limited([of, other], Disposable(THROWAWAY, refuses=True)) as table:
        if relay_is_down:
            table.transport.script(A, *[LATER] * 3)
        await table.run(20)
        assert await table.states(of) == [State.FAILED]
        (line,) = (await table.entry(of)).history
        assert line.reply.startswith("throwaway.example is on the list of disposable domains ([recipients] ")
        (said,) = table.facts("failed")
        assert (said["recipient"], "queue retry" in said["message"]) == ("x***@a.throwaway.example", True)
        (found,) = await table.deliveries(of)
        await table.ledger.apply_command(found, Outcome(State.QUEUED, table.clock.now(), 0, 0), table.clock.now())
        table.worker.wake()
        await table.run(20)
        assert await table.states(of) == [State.SENT]


async def test_mail_to_a_disposable_domain_is_warned_of_where_nothing_else_is_wanted() -> None:
    """Once for a mail, and it goes."""
    of = message("x@throwaway.example")
    async with limited([of, message(A)], Disposable(THROWAWAY)) as table:
        table.transport.script("x@throwaway.example", LATER)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        (said,) = table.facts("disposable")
        assert said["message"] == "throwaway.example is on the list of disposable domains"
