"""Whether a message is still to be mailed: what the snapshot and the server say of it, and what follows."""

import math
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest

from mail_sender.errors import MessageGone, ServerFaultKind
from mail_sender.ledger.states import State
from mail_sender.message import Found, Message
from tests.support.memory_source import fault
from tests.support.samples import CUT, DOWN, HOUR, LATER, NOW, SECOND, A, B, crowd, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

HOURLY = "@hourly"


async def test_what_the_current_poll_listed_is_not_read_again() -> None:
    """The poll has just seen it."""
    async with bench(*crowd(20)) as table:
        await table.run()
        assert len(table.source.sent) == 20
        assert "read" not in table.source.calls


async def test_a_retry_that_the_last_poll_could_not_know_of_is_read_again() -> None:
    """On a schedule of hours each retry asks the server first; the list is not asked for that."""
    async with bench(message(A), schedule=HOURLY) as table:
        table.transport.script(A, LATER, LATER)
        await table.run(600)
        assert len(table.transport.tried) == 3
        assert table.source.calls.count("read") == 2
        assert table.source.calls.count("list_ready") == 1


async def test_a_backlog_that_outlasts_its_poll_is_read_again() -> None:
    """What was listed minutes ago may have been withdrawn since."""
    async with bench(*crowd(12), schedule=HOURLY) as table:
        table.transport.take(65.0)
        await table.run(200)
        assert len(table.source.sent) == 12
        assert table.source.calls.count("read") == 4


@pytest.mark.parametrize("purged", [False, True])
async def test_what_somebody_else_has_marked_or_purged_is_withdrawn(purged: bool) -> None:
    """It is not mailed, nor marked by us; said once. 404 means purged where our standing is good and a poll agrees."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *") as table:
        await table.defer(of)
        table.source.delete(of) if purged else table.source.sent.add(of.id)
        await table.run(600)
        assert await table.states(of) == [State.WITHDRAWN]
        assert (len(table.transport.tried), table.source.marks) == (1, [])
        assert table.said("withdrawn") == ["withdrawn"]


async def test_a_message_is_not_gone_before_the_next_good_poll_lacks_it_too() -> None:
    """Until then it is read again and again; a poll that fails says nothing."""
    of = message(A)
    async with bench(of, schedule="0 */10 * * * *") as table:
        await table.defer(of)
        table.source.delete(of)
        table.source.script("list_ready", fault(ServerFaultKind.UNREACHABLE))
        await table.run(1_180)
        assert await table.states(of) == [State.QUEUED]
        assert table.source.calls.count("read") > 10
        await table.run(60)
        assert await table.states(of) == [State.WITHDRAWN]


@pytest.mark.parametrize("times", [1, 3, 10_000])
async def test_a_404_that_a_poll_contradicts_withdraws_nothing(times: int) -> None:
    """A replica that lags behind the others gives it, once or always: what a poll lists is mailed."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *") as table:
        await table.defer(of)
        table.source.script("read", *[MessageGone()] * times)
        await table.run(180)
        assert await table.states(of) == [State.SENT]
        assert table.said("withdrawn") == []


async def test_a_message_that_is_found_again_is_mailed_at_once() -> None:
    """The next reading, from another replica, has it: no poll is waited for."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        await table.defer(of)
        table.source.script("read", MessageGone(), MessageGone())
        await table.run(150)
        assert await table.states(of) == [State.SENT]


async def test_a_reading_that_somebody_else_answers_is_named_once_and_costs_no_mail() -> None:
    """A proxy's page: what the last poll listed is mailed, the rest is read again; that it works again is said, too."""
    first, second = message(A), message(B)
    async with bench(first, second, schedule=HOURLY) as table:
        table.transport.script(A, LATER, LATER)
        table.transport.script(B, LATER)
        await table.run(10)
        table.source.script("read", *[fault(ServerFaultKind.NOT_KANIDM)] * 2)
        await table.run(600)
        assert await table.states(first, second) == [State.SENT, State.SENT]
        assert table.said("reading_down", "reading_up", "server_down") == ["reading_down", "reading_up"]


# What may have arrived


async def cut_at_the_dot(table: Bench, of: Message) -> None:
    """Have the first attempt of a message be cut off at its dot, so that it may have arrived."""
    table.transport.script(of.recipients[0], CUT)
    await table.run(10)
    (found,) = await table.deliveries(of)
    assert (found.state, found.ambiguous) == (State.QUEUED, 1)


@pytest.mark.parametrize("listed", [False, True])
async def test_what_may_have_arrived_and_is_marked_on_the_server_is_never_sent_again(listed: bool) -> None:
    """Whoever marked it, and although a replica that lags still lists it: it becomes unknown."""
    of = message(A)
    async with bench(of) as table:
        await cut_at_the_dot(table, of)
        table.source.sent.add(of.id)
        table.source.forgetful = listed
        await table.run(600)
        assert await table.states(of) == [State.UNKNOWN]
        assert len(table.transport.tried) == 1
        assert table.said("unknown") == ["unknown"]


async def test_what_may_have_arrived_is_read_although_a_poll_has_just_listed_it() -> None:
    """A replica that lags lists what another one has the mark of: the relay was down when it became due, and is back."""
    of = message(A)
    async with bench(of) as table:
        await cut_at_the_dot(table, of)
        table.transport.always(DOWN)
        await table.run(150)
        table.source.sent.add(of.id)
        table.source.forgetful = True
        table.transport.always(None)
        tried = len(table.transport.tried)
        await table.run(60)
        assert await table.states(of) == [State.UNKNOWN]
        assert len(table.transport.tried) == tried > 1


async def test_a_mark_of_our_own_keeps_what_may_have_arrived_from_being_sent_again() -> None:
    """Such as that of a process that was killed after its mark and before its outcome was written."""
    of = message(A)
    async with bench(of) as table:
        await cut_at_the_dot(table, of)
        table.source.sent.add(of.id)
        await table.ledger.marked([of.id], table.clock.now())
        await table.run(600)
        assert await table.states(of) == [State.UNKNOWN]
        assert len(table.transport.tried) == 1


async def test_what_may_have_arrived_and_is_gone_from_the_server_is_not_sent_again() -> None:
    """Once the next good poll lacks it too."""
    of = message(A)
    async with bench(of) as table:
        await cut_at_the_dot(table, of)
        table.source.delete(of)
        await table.run(600)
        assert await table.states(of) == [State.UNKNOWN]
        assert len(table.transport.tried) == 1


async def test_what_may_have_arrived_waits_for_a_server_that_can_be_read() -> None:
    """What the last poll saw may be older than the mark: nothing goes out before the server can be asked."""
    of = message(A)
    async with bench(of) as table:
        await cut_at_the_dot(table, of)
        table.source.down = fault(ServerFaultKind.UNREACHABLE)
        await table.run(600)
        assert (await table.states(of), len(table.transport.tried)) == ([State.QUEUED], 1)
        table.source.down = None
        await table.run(60)
        assert (await table.states(of), len(table.transport.tried)) == ([State.SENT], 2)


async def test_what_may_have_arrived_and_cannot_be_read_is_sent_once_a_new_poll_lists_it() -> None:
    """A proxy that lets lists through, but no single message, does not keep a person from their link."""
    of = message(A)
    async with bench(of) as table:
        await cut_at_the_dot(table, of)
        table.source.script("read", *[fault(ServerFaultKind.NOT_KANIDM)] * 1_000)
        await table.run(300)
        assert (await table.states(of), len(table.transport.tried)) == ([State.SENT], 2)


@pytest.mark.parametrize("since", [False, True])
async def test_a_copy_that_may_have_arrived_is_kept_back_only_by_a_mark_since_then(since: bool) -> None:
    """The mark of the first copy says nothing about the second one."""
    of = message(A)
    async with bench(of) as table:
        await table.run(10)
        table.transport.script(A, CUT)
        await table.resend(of)
        await table.run(10)
        if since:
            read = table.source.read

            async def read_marked(message: UUID) -> Found:
                return replace(await read(message), sent_at=table.clock.now())

            table.source.read = read_marked  # type: ignore[method-assign]  # somebody marks it again meanwhile
        await table.run(600)
        assert await table.states(of) == [State.UNKNOWN if since else State.SENT]
        assert len(table.transport.tried) == (2 if since else 3)


async def test_what_was_withdrawn_and_is_un_sent_later_is_said_and_mailed_on_command() -> None:
    """Somebody marked it, and then wants it mailed after all; that copy is marked."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        await table.defer(of)
        table.source.sent.add(of.id)
        await table.run(600)
        table.source.sent.discard(of.id)
        await table.run(2 * 3600)
        assert (table.said("unsent"), len(table.transport.tried)) == (["unsent"], 1)
        await table.resend(of)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        assert (len(table.transport.arrived), table.source.marks) == (1, [of.id])


async def test_without_the_group_nothing_is_withdrawn_between_two_polls_either() -> None:
    """The reading itself finds it out, and all sending stops; the next good poll lets it go on."""
    first, second = message(A), message(B)
    async with bench(first, second, schedule=HOURLY) as table:
        table.transport.script(B, LATER)
        await table.defer(first)
        table.source.has_group = False
        await table.run(1000)
        assert await table.states(first, second) == [State.QUEUED, State.QUEUED]
        assert len(table.transport.tried) == 2
        table.source.has_group = True
        await table.run(3600)
        assert await table.states(first, second) == [State.SENT, State.SENT]


async def test_a_recipient_that_the_server_does_not_name_any_more_is_withdrawn() -> None:
    """The others of the message are mailed."""
    of = message(A, B)
    async with bench(of, schedule=HOURLY) as table:
        table.transport.script(B, LATER)
        await table.run(10)
        table.source.messages = [replace(of, recipients=(A,))]
        await table.run(600)
        assert await table.states(of) == [State.SENT, State.WITHDRAWN]
        assert table.source.marks == [of.id]


async def test_a_link_that_was_cut_short_meanwhile_expires() -> None:
    """What the server says now counts."""
    of = message(A, content=reset(expires_at=NOW + HOUR))
    async with bench(of, schedule=HOURLY) as table:
        await table.defer(of)
        table.source.messages = [replace(of, content=reset(expires_at=NOW + 70 * SECOND))]
        await table.run(600)
        assert await table.states(of) == [State.EXPIRED]
        assert len(table.transport.tried) == 1


async def test_a_message_that_nobody_can_read_is_put_off_and_not_counted() -> None:
    """Not listed any more, and the reading fails: half a minute later it is read again."""
    of = message(A)
    async with bench(of) as table:
        await table.defer(of)
        table.source.delete(of)
        table.source.script("read", *[fault(ServerFaultKind.ERROR)] * 5)
        await table.run(150)
        (found,) = await table.deliveries(of)
        assert (found.state, found.attempts) == (State.QUEUED, 1)
        table.source.messages.append(of)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        reads = table.source.times_of("read")
        assert all(later - earlier > 29.9 for earlier, later in pairwise(reads))


async def test_a_reading_that_hangs_holds_up_only_its_own_mail() -> None:
    """The others go on."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *") as table:
        await table.defer(of)
        table.source.slow["read"] = math.inf
        table.source.messages.append(message(B, send_after=NOW + SECOND))
        await table.run(120)
        assert B in table.transport.recipients
        await table.kill()


async def test_a_token_that_is_refused_at_a_reading_stops_the_sending() -> None:
    """Where its standing is bad as well; the next good poll lets it go on."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        await table.defer(of)
        for call in ("read", "standing"):
            table.source.script(call, fault(ServerFaultKind.TOKEN_REFUSED))
        await table.run(600)
        assert (table.said("server_down"), len(table.transport.tried)) == (["server_down"], 1)
        await table.run(3600)
        assert await table.states(of) == [State.SENT]
