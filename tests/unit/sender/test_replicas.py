"""Several replicas on one ledger: one polls, all mail, any marks; and whatever befalls one, no mail waits for it."""

import math
from collections.abc import Iterable
from datetime import timedelta

import pytest

from mail_sender.errors import MessageGone, ServerFaultKind
from mail_sender.ledger.base import Outcome
from mail_sender.ledger.replicas import News
from mail_sender.ledger.states import State
from mail_sender.message import Message
from mail_sender.sender import dispatch, read_ahead
from mail_sender.sender.role import HEADWAY
from tests.support.memory_source import fault
from tests.support.replica_bench import BEAT, LEASE, ReplicaBench, owner, replicas, run
from tests.support.samples import DOWN, HOUR, LATER, MINUTE, NOW, SECOND, crowd, message, reset
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME

TAKEOVER = 30.0


def arrived(*tables: ReplicaBench) -> list[str]:
    """Return who got mail, each as often as it did."""
    return sorted(mail.recipient for table in tables for mail in table.transport.arrived)


def everybody(messages: Iterable[Message]) -> list[str]:
    """Return who should get mail."""
    return sorted(of.recipients[0] for of in messages)


async def test_one_lists_the_queue_and_all_mail_what_it_finds() -> None:
    """Each its share, each mail once and marked once; who follows reads each message, and its own standing."""
    messages = crowd(40)
    async with replicas(3) as tables:
        await run(1, tables[0])
        await run(9, *tables)
        tables[0].source.messages += messages
        await run(20, *tables)
        assert [len(table.lists) for table in tables] == [7, 0, 0]
        assert arrived(*tables) == everybody(messages)
        assert all(len(table.transport.arrived) > 5 for table in tables)
        assert sorted(id_ for table in tables for id_ in table.source.marks) == sorted(of.id for of in messages)
        for table in tables[1:]:
            assert table.source.calls.count("standing") == 1
            assert table.source.calls.count("read") == len(table.transport.arrived)
        assert tables[2].said("polls", "follows") == ["polls", "follows", "follows"]


async def test_fresh_mail_of_a_follower_does_not_wait_for_its_next_look() -> None:
    """News of it comes with the poll that took it up."""
    messages = crowd(10)
    async with replicas(2, schedule="0 * * * * *") as tables:
        await run(30, *tables)
        tables[0].source.messages += messages
        await run(31, *tables)
        assert arrived(*tables) == everybody(messages)
        assert all(at < 60.5 for table in tables for at in table.transport.arrivals)


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_another_one_polls_when_the_poller_is_gone(how: str) -> None:
    """When its lease has run out, or at once where it stops; and what has come meanwhile is mailed."""
    async with replicas(3) as tables:
        await run(1, tables[0])
        await run(20, *tables)
        began = tables[0].clock.monotonic()
        if how == "killed":
            await tables[0].die()
        else:
            await tables[0].stop()
            await tables[0].ledger.close()
        tables[0].source.messages.extend(messages := crowd(12))
        await run(TAKEOVER, *tables[1:])
        (first,) = {min(table.lists) for table in tables[1:] if table.lists}
        assert first - began < (LEASE + 2 * BEAT if how == "killed" else SECOND.total_seconds())
        assert arrived(*tables) == everybody(messages)


async def test_a_poller_that_ends_lets_another_one_poll_before_its_mails_have_ended() -> None:
    """Its relay may take seconds for what is in flight."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].ask_to_stop()
        await tables[0].worker.let_another_poll()
        await run(1, tables[1])
        await tables[0].replicas.beat()
        assert [table.replicas.polls for table in tables] == [False, True]
        assert tables[1].lists


@pytest.mark.parametrize("kind", [ServerFaultKind.UNREACHABLE, ServerFaultKind.TOKEN_REFUSED, ServerFaultKind.ERROR])
async def test_a_poller_whose_polls_fail_lets_another_one_poll(kind: ServerFaultKind) -> None:
    """Its own token or network may be at fault: nothing waits for it, and when that is mended it has its share again."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].source.down = fault(kind)
        tables[0].source.slow["standing"] = 30.0
        tables[0].source.messages.extend(first := crowd(12))
        await run(10, *tables)
        assert tables[1].lists
        assert arrived(tables[1]) == everybody(first)
        assert not tables[0].replicas.said.carries
        tables[0].source.down = None
        tables[0].source.slow.clear()
        await run(70, *tables)
        assert tables[0].replicas.said.carries
        tables[0].source.messages.extend(second := crowd(12))
        await run(10, *tables)
        assert arrived(*tables) == everybody([*first, *second])
        assert tables[0].transport.arrived
        assert len(tables[0].lists) <= 4


async def test_where_nobody_can_poll_one_goes_on_trying() -> None:
    """As often as one alone; and as soon as the server is back, mail goes."""
    async with replicas(3) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        for table in tables:
            table.source.down = fault(ServerFaultKind.UNREACHABLE)
        before = sum(len(table.source.calls) for table in tables)
        await run(300, *tables)
        assert 60 <= sum(len(table.source.calls) for table in tables) - before <= 100
        for table in tables:
            table.source.down = None
        tables[0].source.messages.extend(messages := crowd(6))
        await run(70, *tables)
        assert arrived(*tables) == everybody(messages)


async def test_a_list_that_nobody_can_read_is_asked_for_by_one_after_the_other() -> None:
    """Each that can mail tries; together they ask hardly more often than one would."""
    async with replicas(3, schedule="0 * * * * *") as tables:
        await run(1, tables[0])
        await run(11, *tables)
        for table in tables:
            table.source.script("list_ready", *[fault(ServerFaultKind.ERROR)] * 1_000)
        await run(600, *tables)
        assert all(len(table.lists) > 2 for table in tables)
        assert sum(len(table.lists) for table in tables) <= 60


async def test_a_server_that_asks_for_a_pause_means_every_replica() -> None:
    """The role stays where it is."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].source.script("list_ready", fault(ServerFaultKind.OVERLOADED, retry_after=60.0))
        await run(60, *tables)
        assert tables[1].lists == []


async def test_a_poll_that_hangs_lets_another_one_poll() -> None:
    """No lease is prolonged for it."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].source.slow["list_ready"] = math.inf
        await run(5 + HEADWAY + LEASE + 2 * BEAT, *tables)
        assert tables[1].lists
        tables[0].source.slow.clear()


async def test_what_a_server_does_not_give_to_one_replica_is_mailed_by_another() -> None:
    """Its server may lag behind the one that was polled: the message is not gone for that, and is mailed in a minute."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[1].source.script("read", *[MessageGone()] * 1_000)
        tables[0].source.messages.extend(messages := crowd(12))
        await run(30, *tables)
        await tables[0].replicas.announce(News.COMMAND)  # all is read anew
        await run(30, *tables)
        assert "read" in tables[1].source.calls
        assert arrived(tables[0]) == everybody(messages)
        assert all(at < 60 for at in tables[0].transport.arrivals)
        ours = [of for of in messages if owner(of.recipients[0], tables[1].replicas) == tables[1].replicas.id]
        assert tables[1].source.calls.count("read") == len(ours)


async def test_what_is_left_to_others_is_not_in_the_way_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of it there is: what is read ahead is read without it."""
    monkeypatch.setattr(dispatch, "_TOGETHER", 2)
    monkeypatch.setattr(read_ahead, "MOST_FRESH", 0)
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[1].source.script("read", *[MessageGone()] * 6)
        tables[0].source.messages.extend(crowd(40))
        await run(20, *tables)
        assert len(tables[1].transport.arrived) > 6


async def test_a_poller_that_could_not_poll_lets_the_first_one_do_so_that_can() -> None:
    """Also where none could when its poll failed: it does not keep the role until its next poll."""
    async with replicas(2, schedule="0 * * * * *") as tables:
        await run(1, tables[0])
        await run(11, *tables)
        for table in tables:
            table.source.down = fault(ServerFaultKind.TOKEN_REFUSED)
        tables[1].worker._snapshot.note(fault(ServerFaultKind.TOKEN_REFUSED), NOW)
        await run(60, *tables)
        assert tables[0].replicas.polls
        tables[1].source.down = None
        await run(40, *tables)
        assert tables[1].replicas.polls
        assert tables[1].lists


async def test_what_is_gone_is_withdrawn_by_the_poller() -> None:
    """Whose list shows it."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        of = next(of for of in crowd(9) if owner(of.recipients[0], tables[1].replicas) == tables[1].replicas.id)
        for table in tables:
            table.transport.script(of.recipients[0], LATER)
        tables[0].source.messages.append(of)
        await run(10, *tables)
        tables[0].source.delete(of)
        await run(200, *tables)
        assert await tables[0].states(of) == [State.WITHDRAWN]


async def test_a_follower_whose_way_to_the_server_is_cut_has_no_share() -> None:
    """What comes then is mailed by the others without waiting; it asks for its standing again, longer each time."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[1].source.down = fault(ServerFaultKind.UNREACHABLE)
        tables[0].source.messages.extend(first := crowd(10))
        await run(45, *tables)
        assert arrived(tables[0]) == everybody(first)
        tables[0].source.messages.extend(second := crowd(10))
        began = tables[0].clock.monotonic()
        await run(10, *tables)
        assert arrived(tables[0]) == everybody([*first, *second])
        assert max(tables[0].transport.arrivals) - began < 6
        calls = len(tables[1].source.calls)
        await run(600, *tables)
        assert len(tables[1].source.calls) - calls <= 12
        tables[1].source.down = None
        await run(70, *tables)
        assert tables[1].replicas.said.carries


async def test_a_former_poller_mails_what_its_list_holds_while_no_replica_reads_the_server() -> None:
    """The server is down for all: what was listed before that goes out, as it would with one process."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].transport.take(2.0)
        tables[1].transport.always(DOWN)
        tables[0].source.messages.extend(messages := crowd(30))
        await run(5.1, *tables)
        for table in tables:
            table.source.down = fault(ServerFaultKind.UNREACHABLE)
        await run(100, *tables)
        assert tables[1].lists, "the role did not move"
        assert arrived(tables[0]) == everybody(messages)


async def test_links_expire_by_the_servers_time_for_a_follower_too() -> None:
    """Its machine's clock is hours ahead; the answer to its look at its standing has the time."""
    async with replicas(2, off=timedelta(hours=2)) as tables:
        for table in tables:
            table.source.date = lambda: table.clock.true  # noqa: B023 - all have the same
        await run(1, tables[0])
        await run(11, *tables)
        messages = [message(f"{number}@example.com", content=reset()) for number in range(12)]
        tables[0].source.messages.extend(messages)
        await run(10, *tables)
        assert arrived(*tables) == everybody(messages)
        assert len(tables[1].transport.arrived) > 1


async def test_a_list_that_comes_in_parts_keeps_its_order_whoever_mails() -> None:
    """The newer one of two messages for one address comes first in the list, and the older one a while later."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].source.part, tables[0].source.part_seconds = 4, 3.0
        address = next(of.recipients[0] for of in crowd(9) if owner(of.recipients[0], tables[1].replicas).int == 2)
        newer, older = message(address), message(address, send_after=NOW - HOUR)
        tables[0].source.messages.extend([newer, *crowd(7), older])
        await run(30, *tables)
        mails = [mail.message_id for mail in tables[1].transport.arrived if mail.recipient == address]
        assert [older.id.hex[-4:] in mails[0], newer.id.hex[-4:] in mails[1]] == [True, True]


async def test_a_list_that_breaks_off_holds_up_nothing() -> None:
    """What the ledger has of it by then goes."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].source.part, tables[0].source.part_seconds = 4, 2.0
        tables[0].source.messages.extend(messages := crowd(12))
        await run(3, *tables)
        tables[0].faults.before.add("admit")
        await run(2.5, *tables)
        tables[0].faults.mend()
        assert tables[0]._company.taking_up == {}
        await run(70, *tables)
        assert arrived(*tables) == everybody(messages)


async def test_an_operators_command_reaches_the_other_replicas() -> None:
    """What it made due goes at once, whoever's share it is."""
    async with replicas(2, schedule="@hourly") as tables:
        await run(1, tables[0])
        messages = crowd(8)
        tables[0].source.messages.extend(messages)
        for table in tables:
            table.transport.always(LATER)
        await tables[0].replicas.give_up_polling()
        await run(20, *tables)
        assert sum(len(table.transport.tried) for table in tables) >= 8
        for table in tables:
            table.transport.always(None)
        for of in messages:
            (found,) = await tables[0].deliveries(of)
            await tables[0].ledger.apply_command(
                found, Outcome(State.QUEUED, tables[0].clock.now(), 1, 0), tables[0].clock.now()
            )
        tables[0].worker.wake()
        await tables[0].replicas.announce(News.COMMAND)
        await run(1, *tables)
        assert arrived(*tables) == everybody(messages)


async def test_a_changed_configuration_does_not_move_the_role() -> None:
    """The replica is the same process, before and after."""
    async with replicas(2) as tables:
        await run(1, tables[0])
        await run(11, *tables)
        tables[0].change()
        await run(20, *tables)
        assert tables[1].lists == []
        assert tables[0].replicas.polls


async def test_a_follower_ends_with_its_schedule() -> None:
    """As one that polls does."""
    async with replicas(2, schedule="0 0 12 21 11 * 2026") as tables:
        tables[0].start()
        await run(2 * MINUTE.total_seconds(), tables[0])
        assert tables[0].said("schedule_over") or tables[1].said("schedule_over")
        assert tables[0].has_ended


async def test_an_operators_flush_has_each_replica_probe_its_relay() -> None:
    """Wherever he is: what waits is everybody's share, and the next probe of one's own may be minutes away."""
    async with replicas(2, *crowd(20)) as tables:
        for table in tables:
            table.transport.always(DOWN)
        await run(300, *tables)
        before = [len(table.transport.tried) for table in tables]
        await run(1, *tables)
        assert [len(table.transport.tried) for table in tables] == before
        for table in tables:
            table.transport.always(None)
            table.replicas.heard(News.FLUSH)
        await run(1, *tables)
        assert all(len(table.transport.tried) > number for table, number in zip(tables, before, strict=True))
