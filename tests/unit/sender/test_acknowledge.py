"""What is sent is marked on the server until the server takes the mark, and nothing is ever mailed again for it."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import pytest

from mail_sender.backoff import IDLE_WAIT, MARK_WAITS, OTHERS_ENDED
from mail_sender.errors import MessageGone, ServerFaultKind
from mail_sender.message import Message
from mail_sender.sender import acknowledge
from mail_sender.sender.acknowledge import AT_A_TIME
from tests.support.memory_source import dawdle, fault
from tests.support.samples import MINUTE, NOW, SECOND, A, B, C, D, crowd, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

OF_THE_SERVER = [kind for kind in ServerFaultKind if not kind.is_of_the_token and kind is not ServerFaultKind.ERROR]


def three() -> list[Message]:
    """Return three messages, the oldest first."""
    return [message(to, send_after=NOW - (9 - age) * MINUTE) for age, to in enumerate((A, B, C))]


async def unmarked(table: Bench) -> list[object]:
    """Return what is still to be marked."""
    return list(await table.ledger.unmarked(table.clock.now()))


@pytest.mark.parametrize("kind", OF_THE_SERVER)
async def test_a_mark_that_fails_is_tried_again_until_the_server_takes_it(kind: ServerFaultKind) -> None:
    """Each time it waits longer, up to a minute; no second mail goes out."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        table.source.script("mark_sent", *[fault(kind)] * 6)
        await table.run(600)
        times = table.source.times_of("mark_sent")
        assert [later - earlier for earlier, later in pairwise(times)] == [1, 2, 4, 8, 16, 30]
        assert table.source.sent == {of.id}
        assert len(table.transport.tried) == 1


async def test_what_another_sender_left_behind_is_marked_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where senders share a ledger, nothing rings when one of them is gone."""
    async with bench(of := message(A), schedule="@hourly") as table:
        left: list[UUID] = []

        async def to_mark(_now: datetime, _limit: int) -> Sequence[UUID]:
            return left

        monkeypatch.setattr(table.ledger, "is_shared", True)
        monkeypatch.setattr(table.ledger, "to_mark", to_mark)
        await table.run(2 * IDLE_WAIT)
        assert table.source.marks == [of.id]
        left.append(of.id)
        await table.run(OTHERS_ENDED)
        assert table.source.marks == [of.id] * 2


async def test_a_server_that_is_away_gets_four_marks_at_a_time_and_not_the_whole_backlog() -> None:
    """The rest waits for the next round."""
    messages = crowd(100)
    async with bench(*messages, schedule="@hourly") as table:
        table.source.script("mark_sent", *[fault(ServerFaultKind.UNREACHABLE)] * 8)
        await table.run(0.5)
        assert len(table.source.marks) <= 4
        await table.run(120)
        assert table.source.sent == {of.id for of in messages}


async def test_a_long_backlog_is_marked_four_at_a_time() -> None:
    """A hundred, each taking a second: the server is not flooded, nor is anything left."""
    messages = crowd(100)
    async with bench(*messages) as table:
        table.source.slow["mark_sent"] = 1.0
        await table.run(60)
        assert table.source.sent == {of.id for of in messages}
        assert max(Counter(table.source.times_of("mark_sent")).values()) == AT_A_TIME


async def test_a_wait_that_the_server_asks_for_is_kept() -> None:
    """Retry-After holds for all marks, whatever rings."""
    messages = three()
    async with bench(*messages) as table:
        table.source.script("mark_sent", *[fault(ServerFaultKind.OVERLOADED, retry_after=90.0)])
        await table.run(88)
        assert len(table.source.marks) == 1
        await table.run(10)
        assert table.source.sent == {of.id for of in messages}


async def test_one_message_whose_mark_fails_does_not_stop_the_others() -> None:
    """An error that may be this message's own: it waits by itself, longer each time, and the others are marked at once."""
    cursed, *others = messages = three()
    async with bench(*messages, schedule="@hourly") as table:
        table.source.cursed[cursed.id] = fault(ServerFaultKind.ERROR)
        await table.run(4)
        assert table.source.sent == {of.id for of in others}
        await table.run(600)
        times = [
            time
            for time, of in zip(table.source.times_of("mark_sent"), table.source.marks, strict=True)
            if of == cursed.id
        ]
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert waits == pytest.approx([MARK_WAITS.first, 2, 4, 8, 16] + [MARK_WAITS.most] * (len(waits) - 5), abs=0.3)
        assert await unmarked(table) == [cursed.id]
        assert table.said("server_down") == []
        assert len(table.transport.tried) == 3
        table.source.messages.append(late := message(D, send_after=table.clock.now() - SECOND))
        await table.run(3600)
        assert table.source.sent == {of.id for of in (*others, late)}


async def test_a_403_on_one_mark_with_a_good_standing_is_that_messages_own() -> None:
    """Sending goes on, the others are marked, and this mark is tried again."""
    first, second = message(A), message(B, send_after=NOW + 20 * SECOND)
    async with bench(first, second) as table:
        table.source.cursed[first.id] = fault(ServerFaultKind.TOKEN_READ_ONLY)
        await table.run(60)
        assert table.source.sent == {second.id}
        table.source.cursed.clear()
        await table.run(61)
        assert table.source.sent == {first.id, second.id}


@pytest.mark.parametrize("kind", [kind for kind in ServerFaultKind if kind.is_of_the_token])
async def test_a_token_that_may_not_mark_stops_the_sending(kind: ServerFaultKind) -> None:
    """No mail may go out under it; the message stays unmarked until it is mended."""
    first, second = message(A), message(B, send_after=NOW + 7 * SECOND)
    async with bench(first, second) as table:
        table.source.script("mark_sent", fault(kind))
        table.source.script("standing", None, *[fault(kind)] * 10)
        await table.run(50)
        assert table.transport.recipients == [A]
        await table.run(60)
        assert table.source.sent == {first.id, second.id}


async def test_a_message_that_is_gone_is_settled_where_the_account_is_still_a_sender() -> None:
    """404 with a good standing, and the next poll lacks it: that is said once, and it is never marked or mailed again."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *") as table:
        table.transport.meanwhile = lambda _: table.source.delete(of)
        await table.run(59)
        assert await unmarked(table) == [of.id]
        await table.run(60)
        assert table.said("message_gone") == ["message_gone"]
        assert await unmarked(table) == []
        marks = len(table.source.marks)
        await table.run(600)
        assert (table.transport.recipients, len(table.source.marks)) == ([A], marks)


async def test_a_404_that_a_poll_contradicts_settles_nothing() -> None:
    """A replica that lags behind the others gives it: the mark is repeated while the message is listed."""
    of = message(A)
    async with bench(of) as table:
        table.source.script("mark_sent", *[MessageGone()] * 8)
        await table.run(150)
        assert table.source.sent == {of.id}
        assert (len(table.source.marks), len(table.transport.tried)) == (9, 1)
        assert table.said("message_gone") == []
        assert table.said("mark_failed") == ["mark_failed"]


async def test_a_404_of_an_account_without_its_group_settles_nothing() -> None:
    """Then the message stays unmarked, and is marked when the group is back."""
    of = message(A)
    async with bench(of) as table:
        table.transport.meanwhile = lambda _: setattr(table.source, "has_group", False)
        await table.run(60)
        assert await unmarked(table) == [of.id]
        assert table.said("message_gone") == []
        table.source.has_group = True
        await table.run(61)
        assert table.source.sent == {of.id}


async def test_a_404_before_the_server_goes_away_settles_nothing() -> None:
    """Where the standing cannot be asked, the message stays unmarked for the next round."""
    of = message(A)
    async with bench(of) as table:
        table.source.script("mark_sent", MessageGone())
        table.source.script("standing", None, fault(ServerFaultKind.UNREACHABLE))
        await table.run(0.5)
        assert await unmarked(table) == [of.id]
        await table.run(30)
        assert table.source.sent == {of.id}


async def test_a_mark_that_hangs_holds_up_neither_polls_nor_mail() -> None:
    """It is the acknowledger's own time."""
    async with bench(message(A)) as table:
        table.source.slow["mark_sent"] = math.inf
        await table.run(10)
        table.source.messages.append(message(B))
        await table.run(60)
        assert table.transport.recipients == [A, B]
        assert table.source.calls.count("list_ready") == 14
        await table.kill()


async def test_a_message_that_the_server_has_dropped_by_now_is_not_marked() -> None:
    """After its `delete_after` nobody wants to know."""
    of = message(A, delete_after=NOW + 2 * MINUTE)
    async with bench(of, schedule="0 * * * * *") as table:
        table.source.cursed[of.id] = fault(ServerFaultKind.ERROR)
        await table.run(119)
        marks = len(table.source.marks)
        assert marks > 1
        await table.run(3600)
        assert len(table.source.marks) == marks


async def test_what_was_not_marked_before_the_end_is_marked_after_the_next_start() -> None:
    """The ledger knows; the mail is not sent again."""
    of = message(A)
    async with bench(of) as table:
        table.source.script("mark_sent", *[fault(ServerFaultKind.UNREACHABLE)] * 2)
        await table.run(2)
        await table.stop()
        assert table.source.sent == set()
        await table.run(10)
        assert table.source.sent == {of.id}
        assert len(table.transport.tried) == 1


async def test_a_mark_that_takes_long_holds_up_no_other() -> None:
    """The others go on beside it, one after the other."""
    slow, *others = crowd(10)
    async with bench(slow, *others) as table:
        mark_sent = table.source.mark_sent

        async def mark(message: UUID) -> None:
            await asyncio.sleep(50.0 if message == slow.id else 1.0)
            await mark_sent(message)

        table.source.script("mark_sent", fault(ServerFaultKind.OVERLOADED, retry_after=20.0))
        await table.run(10)  # now all of them are due in the same round
        table.source.mark_sent = mark  # type: ignore[method-assign]  # one mark alone takes long
        await table.run(20)
        assert table.source.sent == {of.id for of in others}


async def test_a_long_backlog_is_read_in_parts_and_recorded_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was mailed while the server was away: neither the ledger's answers nor its commits grow with each mark."""
    monkeypatch.setattr(acknowledge, "MOST_QUEUED", 20)
    messages = crowd(200)
    async with bench(*messages, schedule="@hourly") as table:
        table.source.script("mark_sent", *[fault(ServerFaultKind.OVERLOADED, retry_after=60.0)])
        await table.run(30)
        assert len(await unmarked(table)) == 200
        table.source.slow["mark_sent"] = 0.02
        ledger, found, recorded = table.ledger, list[int](), list[int]()
        shipped_unmarked, shipped_marked = ledger.unmarked, ledger.marked

        async def counted_unmarked(now: datetime, limit: int | None = None) -> Sequence[UUID]:
            found.append(len(answer := await shipped_unmarked(now, limit)))
            return answer

        async def counted_marked(messages: Sequence[UUID], now: datetime) -> None:
            recorded.append(len(messages))
            await shipped_marked(messages, now)

        ledger.unmarked, ledger.marked = counted_unmarked, counted_marked  # type: ignore[method-assign]  # counted
        await table.run(60)
        assert len(table.source.marks) == 201
        assert (sum(recorded), len(recorded) < 20) == (200, True)
        assert (len(found) < 20, max(found) < 60) == (True, True)


async def test_marks_that_the_ledger_could_not_write_are_not_made_again() -> None:
    """The server has them: the ledger gets them when it is well, also if it had taken them and said that it had not."""
    messages = crowd(8)
    async with bench(*messages, schedule="@hourly") as table:
        table.faults.before.add("marked")
        await table.run(10)
        assert len(await unmarked(table)) == 8
        table.faults.mend()
        table.faults.after.add("marked")
        await table.run(10)
        table.faults.mend()
        await table.run(10)
        assert (await unmarked(table), len(table.source.marks)) == ([], 8)


async def test_what_is_marked_when_the_end_comes_is_recorded() -> None:
    """The marks that were gathered are given to the ledger before it is closed."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        table.source.slow["mark_sent"] = 5.0
        await table.run(5.05)
        assert (table.source.sent, await unmarked(table)) == ({of.id}, [of.id])
        await table.stop()
        assert await unmarked(table) == []


async def test_errors_of_very_many_messages_are_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error may be one message's own, but not of all: then the server is left alone, longer each time."""
    monkeypatch.setattr(acknowledge, "MOST_PUT_OFF", 10)
    messages = crowd(100)
    async with bench(*messages, schedule="@hourly") as table:
        for of in messages:
            table.source.cursed[of.id] = fault(ServerFaultKind.ERROR)
        await table.run(120)
        assert table.said("server_down") == ["server_down"]
        assert len(table.source.marks) < 200
        table.source.cursed.clear()
        await table.run(120)
        assert table.source.sent == {of.id for of in messages}


async def test_a_mark_that_is_recorded_while_the_ledger_answers_is_not_made_again() -> None:
    """What several processes write is read beside the writing: the answer may be older than the record."""
    of = message(A)
    async with bench(of, schedule="@hourly") as table:
        to_mark = table.ledger.to_mark

        async def late(now: datetime, limit: int) -> Sequence[UUID]:
            found = await to_mark(now, limit)
            await dawdle(1.0 if found else 0.0)
            return found

        table.ledger.to_mark = late  # type: ignore[method-assign]  # as slow as a database may be
        table.source.slow["mark_sent"] = 0.5
        await table.run(0.2)
        table.worker.wake()
        await table.run(10)
        assert table.source.marks == [of.id]
