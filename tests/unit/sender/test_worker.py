"""The flow as a whole, on a good day and to its end: from the queue to the relay, and back as a mark."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.states import State
from mail_sender.message import OddEntry, UnknownContent
from mail_sender.sender.config import RetryConfig
from mail_sender.verdict import RelayDown, Stage
from tests.support.memory_source import Call, fault
from tests.support.samples import CUT, DOWN, ELLIE, INTENT, LATER, MINUTE, NO, NOW, OK, SECOND, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME

CALLS: tuple[Call, ...] = ("standing", "list_ready", "read", "mark_sent")
A, B, C, D = "a@example.com", "b@example.com", "c@example.com", "d@example.com"


# The good day


async def test_what_is_queued_is_mailed_and_marked() -> None:
    """One poll at start: each message is mailed once and marked once."""
    messages = [message(f"{number}@example.com") for number in range(20)]
    async with bench(*messages) as table:
        await table.run()
        assert sorted(table.transport.recipients) == sorted(of.recipients[0] for of in messages)
        assert sorted(table.source.marks) == sorted(of.id for of in messages)
        assert (table.said("sent").count("sent"), table.said("marked").count("marked")) == (20, 20)
        assert await table.counts() == {State.SENT: 20}


async def test_a_ledger_in_a_file_makes_no_difference(tmp_path: Path) -> None:
    """What is sent and marked is known after a restart, and nothing goes out again."""
    messages = [message(f"{number}@example.com") for number in range(20)]
    async with bench(*messages, path=tmp_path / "ledger.db") as table:
        table.source.forgetful = True
        await table.run()
        await table.stop()
        await table.ledger.close()
        await table.open()
        await table.run(60)
        assert len(table.transport.tried) == len(table.source.marks) == 20


async def test_messages_to_one_address_go_by_their_send_after() -> None:
    """Whatever the order of the list, the oldest goes first, and the next one when it is settled."""
    ages = [3, 1, 2, 5, 4]
    async with bench(*(message(ELLIE, send_after=NOW - age * MINUTE, number=age) for age in ages)) as table:
        table.transport.take(1.0)
        await table.run(10)
        sent = [mail.message_id.partition("@")[0][-1] for mail in table.transport.tried]
        assert sent == ["5", "4", "3", "2", "1"]


async def test_nothing_is_mailed_twice_however_often_it_is_listed() -> None:
    """A lagging replica that goes on listing what is sent causes no second copy."""
    async with bench(message(A), message(B)) as table:
        table.source.forgetful = True
        await table.run(14 * 60)
        assert table.transport.recipients == [A, B]
        assert len(table.source.marks) == 2


async def test_connections_to_the_relay_are_given_back_when_nothing_is_in_flight() -> None:
    """Between mails nothing is kept open; at the end neither."""
    async with bench(message()) as table:
        await table.run()
        assert table.transport.closed > 0
        before = table.transport.closed
        await table.stop()
        assert table.transport.closed > before


# Several recipients


async def test_one_refused_recipient_among_three_does_not_stop_the_others() -> None:
    """The other two get their mail, and the message is marked once."""
    of = message(A, B, C)
    async with bench(of) as table:
        table.transport.script(B, NO)
        await table.run(25)
        assert table.transport.recipients == [A, B, C]
        assert table.source.marks == [of.id]
        assert await table.states(of) == [State.SENT, State.FAILED, State.SENT]


async def test_a_message_is_marked_when_its_last_recipient_is_final() -> None:
    """Not before the one that waits for its retry is through."""
    of = message(A, B)
    async with bench(of) as table:
        table.transport.script(B, LATER)
        await table.run(20)
        assert table.source.marks == []
        await table.run(20)
        assert table.transport.recipients == [A, B, B]
        assert table.source.marks == [of.id]


async def test_a_message_that_nobody_got_is_not_marked() -> None:
    """All refused: nothing is marked, and nobody is mailed again."""
    of = message(A, B)
    async with bench(of) as table:
        table.transport.script(A, NO)
        table.transport.script(B, NO)
        await table.run(3600)
        assert table.transport.recipients == [A, B]
        assert table.source.marks == []
        assert table.said("failed") == ["failed", "failed"]


async def test_a_message_with_one_sent_and_one_expired_recipient_is_marked() -> None:
    """Expired is final: one got it, so it is marked."""
    of = message(A, B, content=reset(expires_at=NOW + 80 * SECOND))
    async with bench(of) as table:
        table.transport.script(B, LATER)
        await table.run(19)
        assert await table.states(of) == [State.SENT, State.QUEUED]
        assert table.source.marks == []
        await table.run(5)
        assert await table.states(of) == [State.SENT, State.EXPIRED]
        assert table.source.marks == [of.id]


# What cannot be mailed


async def test_a_bad_entry_is_named_once_and_the_good_ones_go_out() -> None:
    """However many polls list it."""
    async with bench(message(A), message(B), odd=[OddEntry("x", "cannot be read: id (missing)")]) as table:
        await table.run(60)
        assert table.transport.recipients == [A, B]
        assert table.said("malformed_entry") == ["malformed_entry"]


async def test_a_message_of_an_unknown_kind_is_held() -> None:
    """Said once, never mailed, never marked, and in nobody's way."""
    strange, good = message(A, content=UnknownContent("account_expiry_v1")), message(B)
    async with bench(strange, good) as table:
        await table.run(3600)
        assert table.transport.recipients == [B]
        assert table.source.marks == [good.id]
        assert await table.states(strange) == [State.HELD]
        assert [event["kind"] for event in table.facts("held")] == ["account_expiry_v1"]


async def test_what_was_held_is_tried_again_at_the_next_start() -> None:
    """A version that knows its kind mails it; one that does not holds it again, and says so once."""
    strange = message(A, content=UnknownContent("account_expiry_v1"))
    async with bench(strange) as table:
        for start in (1, 2):
            await table.run(60)
            assert await table.states(strange) == [State.HELD]
            assert len(table.said("held")) == start
            await table.stop()
        table.source.messages = [message(A, number=strange.id.int)]
        await table.run(60)
        assert await table.states(strange) == [State.SENT]
        assert table.source.marks == [strange.id]


async def test_a_held_message_expires_when_its_time_runs_out() -> None:
    """Held ones age as queued ones do: after a day it is given up, though nobody ever tried it."""
    strange = message(A, content=UnknownContent("account_expiry_v1"))
    async with bench(strange, retry=RetryConfig(max_age=timedelta(hours=2)), schedule="@hourly") as table:
        await table.run(7199)
        assert await table.states(strange) == [State.HELD]
        await table.run(120)
        assert await table.states(strange) == [State.EXPIRED]
        assert table.said("expired") == ["expired"]


async def test_a_recipient_that_is_no_address_fails_alone() -> None:
    """No mail can be made for it; the others of the message get theirs, and it is marked."""
    of = message("no address", B)
    async with bench(of) as table:
        await table.run(25)
        assert table.transport.recipients == [B]
        assert await table.states(of) == [State.FAILED, State.SENT]
        assert (table.source.marks, table.said("failed")) == ([of.id], ["failed"])


@pytest.mark.parametrize("left", [-3600, 0, 59, 60])
async def test_an_expired_link_is_not_mailed(left: int) -> None:
    """A link with no minute left is given up, said once, and not marked."""
    of, good = message(A, content=reset(expires_at=NOW + left * SECOND)), message(B)
    async with bench(of, good) as table:
        await table.run(3600)
        assert table.transport.recipients == [B]
        assert await table.states(of) == [State.EXPIRED]
        assert (table.source.marks, table.said("expired")) == ([good.id], ["expired"])


async def test_a_link_with_more_than_a_minute_left_is_mailed() -> None:
    """As long as somebody can still follow it."""
    of = message(A, content=reset(expires_at=NOW + 61 * SECOND))
    async with bench(of) as table:
        await table.run()
        assert table.transport.recipients == [A]


async def test_nothing_is_mailed_that_is_older_than_its_greatest_age() -> None:
    """Counted from when it was first seen."""
    of = message(A)
    async with bench(of, retry=RetryConfig(max_age=timedelta(minutes=10))) as table:
        table.transport.always(DOWN)
        await table.run(601)
        assert await table.states(of) == [State.EXPIRED]
        tried = len(table.transport.tried)
        table.transport.always(None)
        await table.run(3600)
        assert len(table.transport.tried) == tried


async def test_a_message_of_long_ago_that_is_still_listed_is_not_news_at_each_poll() -> None:
    """Where the server should have deleted it more than a day ago, it is not mailed, and said once."""
    of = message(A, send_after=NOW - timedelta(days=30), delete_after=NOW - timedelta(days=2))
    async with bench(of) as table:
        await table.run(60)
        assert table.transport.tried == []
        assert len(table.said("expired")) == 1


async def test_a_message_that_is_to_live_for_ever_does_no_harm() -> None:
    """The last moment of the calendar is a time like any other."""
    of = message(A, delete_after=datetime.max.replace(tzinfo=UTC))
    async with bench(of) as table:
        await table.run()
        assert table.source.marks == [of.id]


async def test_what_is_long_gone_is_forgotten_and_what_is_listed_is_kept() -> None:
    """A day after the server should have deleted it; what it lists still is not news again."""
    gone, listed = message(A, delete_after=NOW + MINUTE), message(B, delete_after=NOW + MINUTE)
    async with bench(gone, listed, schedule="@hourly") as table:
        await table.run(60)
        table.source.forgetful = True
        table.source.delete(gone)
        await table.run(26 * 3600)
        assert await table.deliveries(gone) == []
        assert await table.states(listed) == [State.SENT]
        assert table.transport.recipients == [A, B]


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


@pytest.mark.parametrize("call", ["standing", "list_ready"])
async def test_a_stop_does_not_wait_for_a_poll_that_hangs(call: Call) -> None:
    """The server may take its time over it; nobody needs the answer any more."""
    async with bench(message()) as table:
        table.source.slow[call] = float("inf")
        await table.run(1)
        await table.stop(within=0.1)


async def test_a_stop_during_a_wait_is_at_once() -> None:
    """Between two polls of a schedule of hours as well."""
    async with bench(message(A), schedule="@yearly") as table:
        await table.run(3600)
        await table.stop(within=0.1)
        assert table.source.sent


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
        (end,) = await table.deliveries(of)
        assert (end.state, end.attempts, end.ambiguous) == (State.SENT, 1, int(stage is Stage.DOT))
        wait = table.transport.times[1] - table.transport.times[0]
        assert (120 <= wait <= 130) if stage is Stage.DOT else wait < 5
        assert table.source.marks == [of.id]


async def test_a_stop_marks_what_is_sent_by_then() -> None:
    """Also where the relay's yes comes only after the stop; the mark is not left for the next start."""
    of = message(A)
    async with bench(of) as table:
        table.transport.slow(A, 3.0, Stage.DOT)
        await table.run(1)
        await table.stop(within=2.5)
        assert table.source.sent == {of.id}


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


# The whole


async def test_no_event_holds_an_intent_id_or_an_address() -> None:
    """Whatever becomes of a reset, its secret is in its mail and nowhere else."""
    verdicts: list[Any] = [OK, NO, LATER, CUT, DOWN]
    people = [f"person-{number}@example.com" for number in range(len(verdicts))]
    async with bench(*(message(person, content=reset()) for person in people)) as table:
        for person, verdict in zip(people, verdicts, strict=True):
            table.transport.script(person, verdict)
        await table.run(600)
        assert {"sent", "failed", "deferred", "uncertain", "relay_down"} <= set(table.said())
        text = repr(table.events) + "".join(str(value) for event in table.events for value in event.values())
        assert INTENT not in text
        assert "person-" not in text


@pytest.mark.parametrize("kind", ServerFaultKind)
async def test_a_fault_raised_in_any_call_does_no_lasting_harm(kind: ServerFaultKind) -> None:
    """Each call of the source may fail at any time; in the end all is mailed once and marked."""
    for call in CALLS:
        messages = [message(A), message(B), message(C)]
        async with bench(*messages) as table:
            table.transport.script(A, LATER)
            error = fault(kind)
            table.source.script(call, None, error, error)
            await table.run(300)
            assert sorted(table.transport.recipients) == [A, A, B, C]
            assert table.source.sent == {of.id for of in messages}


async def test_a_worker_at_rest_asks_the_disk_for_little() -> None:
    """With nothing to do, it looks at what is due once a poll and once a minute, and never spins."""
    async with bench(schedule="0 * * * * *") as table:
        await table.run(3600)
        assert len(table.clock.waits) < 6 * 60


async def test_a_worker_whose_breaker_is_open_does_not_spin() -> None:
    """With five hundred that wait and one probe that hangs, it looks at most once a poll and when something ends."""
    async with bench(*(message(f"{number}@example.com") for number in range(500))) as table:
        table.transport.always(DOWN)
        await table.run(60)
        table.transport.take(float("inf"))
        await table.run(60)
        waits = len(table.clock.waits)
        await table.run(600)
        assert len(table.clock.waits) - waits < 600
        await table.kill()


async def test_time_goes_on_while_the_ledger_writes() -> None:
    """The bench itself: an hour is over at once, and no answer of the ledger's thread is lost to it."""
    async with bench(message(A)) as table:
        began = asyncio.get_running_loop().time()
        await table.run(3600)
        assert asyncio.get_running_loop().time() - began == 3600
        assert await table.states(*table.source.messages) == [State.SENT]
