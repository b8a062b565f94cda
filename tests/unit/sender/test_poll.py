"""When the server is asked, what is made of its answer, and what of its silence."""

import itertools
import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.states import State
from mail_sender.message import Listing, OddEntry
from mail_sender.sender import poll
from mail_sender.sender.account import STANDING_LASTS
from mail_sender.source.base import NOTHING, Known, Standing, Take, dropped
from tests.support.memory_source import fault
from tests.support.samples import DAY, DOWN, HOUR, MINUTE, NOW, SECOND, A, B, C, crowd, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME

OF_THE_TOKEN = [ServerFaultKind.TOKEN_READ_ONLY, ServerFaultKind.NOT_A_SENDER, ServerFaultKind.TOKEN_REFUSED]


# The schedule


async def test_the_first_poll_is_at_start_and_the_next_ones_are_on_the_schedule() -> None:
    """Whenever it starts: ticks are those of the clock."""
    async with bench(off=SECOND) as table:
        await table.run(15)
        assert table.source.times_of("list_ready") == [0.0, 4.0, 9.0, 14.0]


@pytest.mark.parametrize(("took", "next_poll"), [(0.1, 5.0), (0.5, 10.0), (2.0, 25.0), (11.0, 75.0), (120.0, 185.0)])
async def test_a_server_that_is_slow_is_left_alone_for_a_while(took: float, next_poll: float) -> None:
    """Polls do not overlap, ticks that pass are not made up for, and its rest is nine times as long, up to a minute."""
    async with bench() as table:
        table.source.slow["list_ready"] = took
        await table.run(200)
        assert table.source.times_of("list_ready")[:2] == [0.0, next_poll]


async def test_after_a_list_of_very_many_new_messages_the_next_one_does_not_wait_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes less than the first: what is known by then is passed over. That one is followed by the whole rest."""
    monkeypatch.setattr(poll, "VERY_MANY", 20)
    async with bench(*crowd(20)) as table:
        table.source.slow["list_ready"] = 2.0
        await table.run(60)
        assert table.source.times_of("list_ready") == [0.0, 5.0, 30.0, 55.0]


@pytest.mark.parametrize(("asked", "next_poll"), [(7.0, 10.0), (0.0, 5.0), (4.0, 5.0), (300.0, 305.0), (None, 5.0)])
async def test_retry_after_goes_over_the_schedule(asked: float | None, next_poll: float) -> None:
    """The next poll is the first tick after the wait that the server asks for."""
    async with bench() as table:
        table.source.script("list_ready", fault(ServerFaultKind.OVERLOADED, retry_after=asked))
        await table.run(400)
        assert table.source.times_of("list_ready")[:3] == [0.0, next_poll, next_poll + 5.0]


async def test_a_server_that_hangs_keeps_no_mail_back() -> None:
    """What is queued already goes on; the poll is the source's to end."""
    of = message(A)
    async with bench(of) as table:
        table.transport.always(DOWN)
        await table.run(7)
        table.source.slow["list_ready"] = math.inf
        await table.run(10)
        table.transport.always(None)
        await table.run(40)
        assert await table.states(of) == [State.SENT]
        assert table.source.sent == {of.id}


# Standing


@pytest.mark.parametrize("kind", OF_THE_TOKEN)
async def test_nothing_is_mailed_under_a_token_that_could_not_mark_it(kind: ServerFaultKind) -> None:
    """It is said once, checked again at each poll, and mail goes out when it is mended."""
    async with bench(message()) as table:
        table.source.script("standing", *[fault(kind)] * 10)
        await table.run(49)
        assert table.transport.tried == []
        assert table.said() == ["server_down"]
        assert table.source.calls == ["standing"] * 10
        await table.run(5)
        assert table.said() == ["server_down", "server_ready", "server_up", "sent", "marked"]


@pytest.mark.parametrize("kind", OF_THE_TOKEN)
async def test_a_token_that_turns_bad_while_mail_waits_stops_it(kind: ServerFaultKind) -> None:
    """What the snapshot has is not mailed any more, though the relay is back; it goes when the token is mended."""
    async with bench(message(A)) as table:
        table.transport.always(DOWN)
        await table.run(12)
        table.source.down = fault(kind)
        await table.run(5)
        table.transport.always(None)
        tried = len(table.transport.tried)
        await table.run(600)
        assert len(table.transport.tried) == tried
        table.source.down = None
        await table.run(10)
        assert table.transport.arrived


async def test_a_good_standing_is_asked_for_again_after_a_while() -> None:
    """Not at each poll, but every ten minutes."""
    async with bench(schedule="0 * * * * *") as table:
        await table.run(3599)
        assert table.source.calls.count("standing") == 3600 // STANDING_LASTS
        assert table.said() == ["server_ready"]


async def test_more_groups_than_needed_are_warned_of_once() -> None:
    """By name."""
    async with bench() as table:
        table.source.account = Standing("mailer", may_write=True, excess_groups=("idm_admins",))
        await table.run(60)
        assert [event["groups"] for event in table.facts("excess_groups")] == ["idm_admins"]


# Faults


async def test_a_fault_of_the_server_is_said_once_and_ends_with_mail() -> None:
    """It keeps trying on the schedule; nothing is lost."""
    async with bench(message(A)) as table:
        table.source.script("list_ready", *[fault(ServerFaultKind.UNREACHABLE)] * 10)
        await table.run(54)
        assert table.said() == ["server_ready", "server_down", "server_up", "sent", "marked"]
        assert table.source.times_of("list_ready") == [5.0 * poll for poll in range(11)]


async def test_what_the_snapshot_has_stays_good_while_the_server_is_down() -> None:
    """A queue that was read once is mailed, however long the server is away; its marks follow."""
    messages = crowd(50)
    async with bench(*messages, schedule="0 * * * * *") as table:
        table.transport.take(30.0)
        await table.run(20)
        table.source.down = fault(ServerFaultKind.UNREACHABLE)
        await table.run(600)
        assert await table.counts() == {State.SENT: 50}
        assert table.source.sent == set()
        table.source.down = None
        await table.run(65)
        assert table.source.sent == {of.id for of in messages}


async def test_a_malformed_entry_is_named_again_when_it_was_gone_meanwhile() -> None:
    """Named once while it stands there, beside good ones that go out; its return is news."""
    async with bench(message(A)) as table:
        odd = (OddEntry("x", "cannot be read"),)
        for shown in (odd, odd, (), odd):
            table.source.odd = shown
            await table.run(10)
        assert len(table.said("malformed_entry")) == 2
        assert table.transport.recipients == [A]


async def test_what_a_configuration_does_not_decide_is_not_reported_again_when_it_changes() -> None:
    """An entry that cannot be read, and a clock that is wrong; a new entry is news also then."""
    async with bench(off=timedelta(hours=1)) as table:
        table.source.date = lambda: table.clock.true
        table.source.odd = (OddEntry("x", "cannot be read"),)
        await table.run(10)
        table.change()
        await table.run(10)
        assert table.said("malformed_entry", "clock_down") == ["clock_down", "malformed_entry"]
        table.source.odd = (*table.source.odd, OddEntry("y", "cannot be read"))
        table.change()
        await table.run(10)
        assert [event["message_id"] for event in table.facts("malformed_entry")] == ["x", "y"]


# Listed again


async def test_a_replica_that_lags_for_fourteen_minutes_is_nobodys_news() -> None:
    """What was marked is still listed: ignored, and not said."""
    async with bench(message(A)) as table:
        table.source.forgetful = True
        await table.run(14 * 60)
        assert table.said() == ["server_ready", "sent", "marked"]


async def test_a_message_that_somebody_un_sent_is_said_once_and_never_mailed() -> None:
    """Listed sixteen minutes after its mark: it is shown to the operator, who alone can have it mailed again."""
    of = message(A)
    async with bench(of, schedule="0 */4 * * * *") as table:
        await table.run(16 * 60)
        table.source.sent.clear()
        await table.run(24 * 3600)
        assert table.said("unsent") == ["unsent"]
        assert table.transport.recipients == [A]
        assert await table.states(of) == [State.SENT]
        assert (await table.entry(of)).unsent_at is not None


async def test_a_list_with_gaps_makes_nothing_gone() -> None:
    """A message that waits and is not listed any more stays queued; it is read by itself, and mailed."""
    of, other = message(A), message(B)
    async with bench(of, other) as table:
        table.transport.always(DOWN)
        await table.run(20)
        table.source.unlisted.add(of.id)
        await table.run(20)
        assert await table.states(of) == [State.QUEUED]
        table.transport.always(None)
        await table.run(40)
        assert await table.states(of, other) == [State.SENT, State.SENT]


# Clocks


@pytest.mark.parametrize(("off", "word"), [(timedelta(hours=1), "ahead of"), (-timedelta(hours=1), "behind")])
async def test_a_machine_whose_clock_is_wrong_is_reported_once(off: timedelta, word: str) -> None:
    """In seconds, and which way; and when it was set right."""
    async with bench(message(A), off=off) as table:
        table.source.date = lambda: table.clock.true
        await table.run(60)
        assert [event["message"] for event in table.facts("clock_down")] == [
            f"this machine's clock is 3600 s {word} the identity server's; set it; the server's time is used meanwhile"
        ]
        table.clock.off = 4 * MINUTE  # up to five are not worth a word
        await table.run(60)
        assert table.said("clock_down", "clock_up") == ["clock_down", "clock_up"]


@pytest.mark.parametrize("wrong", [2 * HOUR, -2 * HOUR, 400 * DAY])
async def test_a_date_that_is_wrong_expires_no_link_and_holds_up_no_mail(wrong: timedelta) -> None:
    """A proxy's clock: links that wait for the relay, and those that are queued meanwhile, are mailed in their time."""
    waiting, dead = message(A, content=reset()), message(B, content=reset(expires_at=NOW - SECOND))
    async with bench(waiting, dead, schedule="*/20 * * * * *") as table:
        table.source.date = lambda: table.clock.true
        table.source.proxy_date = lambda: table.clock.true + wrong
        table.transport.always(DOWN)
        await table.run(1_800)
        table.transport.always(None)
        late = message(C, content=reset(expires_at=table.clock.true + HOUR), send_after=table.clock.true)
        table.source.messages.append(late)
        await table.run(60)
        assert await table.states(waiting, dead, late) == [State.SENT, State.EXPIRED, State.SENT]
        assert all(abs(mail.date - table.clock.true) < 2 * MINUTE for mail in table.transport.arrived)
        assert table.said("clock_down") == ["clock_down"]


@pytest.mark.parametrize("wrong", [2 * HOUR, -2 * HOUR])
async def test_a_date_that_jumps_while_mail_waits_changes_nothing(wrong: timedelta) -> None:
    """It was right before, and comes back: nothing expires, is mailed early, or is mailed twice."""
    of = message(A, content=reset())
    async with bench(of) as table:
        table.source.date = lambda: table.clock.true
        table.transport.always(DOWN)
        await table.run(300)
        table.source.proxy_date = lambda: table.clock.true + wrong
        await table.run(600)
        assert await table.states(of) == [State.QUEUED]
        table.source.proxy_date = None
        table.transport.always(None)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        assert len(table.transport.arrived) == 1


@pytest.mark.parametrize("off", [DAY, timedelta(0)])
async def test_two_answers_with_two_times_expire_nothing(off: timedelta) -> None:
    """At the first poll, and whether our own clock is right or not: one server of several has a wrong clock."""
    of = message(A, content=reset())
    async with bench(of, off=off) as table:
        wrong = itertools.cycle([2 * HOUR, timedelta(0)])
        table.source.date = lambda: table.clock.true
        table.source.proxy_date = lambda: table.clock.true + next(wrong)
        table.transport.always(DOWN)
        await table.run(600)
        table.transport.always(None)
        await table.run(60)
        assert await table.states(of) == [State.SENT]


async def test_a_wrong_date_does_not_have_each_list_read_twice() -> None:
    """Only one that moves against our time is worth a second look."""
    async with bench(message(A)) as table:
        table.source.date = lambda: table.clock.true
        table.source.proxy_date = lambda: table.clock.true + 2 * HOUR
        await table.run(59)
        assert table.source.calls.count("list_ready") == 13


async def test_more_odd_entries_than_are_kept_are_counted_once() -> None:
    """And again only when there are more."""
    async with bench() as table:
        list_ready = table.source.list_ready
        more = [5, 5, 3, 7]

        async def listed(now: datetime, take: Take = dropped, known: Known = NOTHING) -> Listing:
            return replace(await list_ready(now, take, known), more_odd=more.pop(0) if more else 7)

        table.source.list_ready = listed  # type: ignore[method-assign]  # more than a source in memory keeps
        await table.run(60)
        assert [event["more"] for event in table.facts("malformed_entries")] == [5, 4]
