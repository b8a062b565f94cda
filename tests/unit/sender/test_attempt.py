"""One delivery, from its claim to what became of it: read again, made again, written down whatever the disk does."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.base import Delivery, Outcome, Query
from mail_sender.ledger.states import State
from mail_sender.mail.render import render as original
from mail_sender.message import Message, UnknownContent
from mail_sender.sender import attempt
from mail_sender.verdict import Stage
from tests.support.memory_source import fault
from tests.support.samples import CUT, DOWN, HOUR, LATER, MAIL, MINUTE, NO, NOW, SECOND, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

A, B, C = "a@example.com", "b@example.com", "c@example.com"
HOURLY = "@hourly"


# Read again


async def test_what_the_current_poll_listed_is_not_read_again() -> None:
    """The poll has just seen it."""
    async with bench(*(message(f"{number}@example.com") for number in range(20))) as table:
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
    async with bench(*(message(f"{number}@example.com") for number in range(12)), schedule=HOURLY) as table:
        table.transport.take(65.0)
        await table.run(200)
        assert len(table.source.sent) == 12
        assert table.source.calls.count("read") == 4


async def retried(table: Bench, of: Message) -> None:
    """Have a message's first attempt deferred, and come to its second one."""
    table.transport.script(of.recipients[0], LATER)
    await table.run(10)
    assert await table.states(of) == [State.QUEUED]


async def test_what_somebody_else_has_marked_is_withdrawn() -> None:
    """It is not mailed, nor marked by us; said once."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        await retried(table, of)
        table.source.sent.add(of.id)
        await table.run(600)
        assert await table.states(of) == [State.WITHDRAWN]
        assert (len(table.transport.tried), table.source.marks) == (1, [])
        assert table.said("withdrawn") == ["withdrawn"]


async def test_what_was_withdrawn_and_is_un_sent_later_is_said_and_mailed_where_it_is_ordered() -> None:
    """Somebody marked it, and then wants it mailed after all; the server is told of that copy."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        await retried(table, of)
        table.source.sent.add(of.id)
        await table.run(600)
        table.source.sent.discard(of.id)
        await table.run(2 * 3600)
        assert (table.said("unsent"), len(table.transport.tried)) == (["unsent"], 1)
        await resend(table, of)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        assert (len(table.transport.arrived), table.source.marks) == (1, [of.id])


async def test_what_is_gone_is_withdrawn_where_our_standing_is_good() -> None:
    """404 with a good standing: it was purged."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        await retried(table, of)
        table.source.delete(of)
        await table.run(600)
        assert await table.states(of) == [State.WITHDRAWN]
        assert len(table.transport.tried) == 1


async def test_what_is_hidden_from_us_is_not_gone() -> None:
    """404 without the group is the account's trouble: the message stays queued, and goes when the group is back."""
    of = message(A)
    async with bench(of) as table:
        await retried(table, of)
        table.source.has_group = False
        await table.run(120)
        assert await table.states(of) == [State.QUEUED]
        assert len(table.transport.tried) == 1
        assert table.said("server_down") == ["server_down"]
        table.source.has_group = True
        await table.run(60)
        assert await table.states(of) == [State.SENT]


async def test_without_the_group_nothing_is_withdrawn_between_two_polls_either() -> None:
    """The reading itself finds it out, and all sending stops; the next good poll lets it go on."""
    first, second = message(A), message(B)
    async with bench(first, second, schedule=HOURLY) as table:
        table.transport.script(B, LATER)
        await retried(table, first)
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
        await retried(table, of)
        table.source.messages = [replace(of, content=reset(expires_at=NOW + 70 * SECOND))]
        await table.run(600)
        assert await table.states(of) == [State.EXPIRED]
        assert len(table.transport.tried) == 1


async def test_while_the_server_is_down_what_the_inbox_holds_still_goes() -> None:
    """Mail does not depend on the server's answer, only its mark does."""
    of = message(A)
    async with bench(of) as table:
        await retried(table, of)
        table.source.down = fault(ServerFaultKind.UNREACHABLE)
        await table.run(600)
        assert await table.states(of) == [State.SENT]
        assert table.source.sent == set()
        table.source.down = None
        await table.run(61)
        assert table.source.sent == {of.id}
        assert len(table.transport.tried) == 2


async def test_a_message_that_nobody_can_read_is_put_off_and_not_counted() -> None:
    """Not listed any more, and the reading fails: half a minute later it is read again."""
    of = message(A)
    async with bench(of) as table:
        await retried(table, of)
        table.source.delete(of)
        table.source.script("read", *[fault(ServerFaultKind.ERROR)] * 5)
        await table.run(150)
        (found,) = await table.deliveries(of)
        assert (found.state, found.attempts) == (State.QUEUED, 1)
        table.source.messages.append(of)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        reads = table.source.moments("read")
        assert all(later - earlier > 29.9 for earlier, later in pairwise(reads))


async def test_a_reading_that_hangs_holds_up_only_its_own_mail() -> None:
    """The others go on."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *") as table:
        await retried(table, of)
        table.source.slow["read"] = math.inf
        table.source.messages.append(message(B, send_after=NOW + SECOND))
        await table.run(120)
        assert B in table.transport.recipients
        await table.kill()


# Perhaps arrived


async def test_what_was_cut_at_the_dot_goes_once_more_and_is_the_same_mail() -> None:
    """After two minutes, when the server still wants it: same Message-ID, same Date, same bytes."""
    of = message(A, content=reset())
    async with bench(of, schedule=HOURLY) as table:
        table.transport.script(A, CUT)
        await table.run(200)
        first, second = table.transport.tried
        assert first == second
        assert first.digest == second.digest
        assert 120 <= table.transport.times[1] <= 125
        assert table.source.calls.count("read") == 1
        assert table.said("uncertain", "mail_changed", "sent") == ["uncertain", "sent"]
        assert table.source.marks == [of.id]


async def test_what_was_cut_at_the_dot_and_marked_meanwhile_may_have_arrived() -> None:
    """Somebody saw to it: no copy goes out, and nobody is told that it did not arrive."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        table.transport.script(A, CUT)
        await table.run(10)
        table.source.sent.add(of.id)
        await table.run(600)
        assert len(table.transport.tried) == 1
        assert await table.states(of) == [State.UNKNOWN]


async def test_what_was_cut_twice_is_unknown_and_never_sent_again() -> None:
    """At most one copy more; the server is not told, since nobody knows."""
    of = message(A)
    async with bench(of) as table:
        table.transport.script(A, CUT, CUT)
        await table.run(3600)
        assert table.transport.recipients == [A, A]
        assert await table.states(of) == [State.UNKNOWN]
        assert table.source.marks == []


async def test_what_was_cut_and_has_no_time_left_is_unknown() -> None:
    """Its link runs out before it could go once more: it may have arrived, so it is not expired."""
    of = message(A, content=reset(expires_at=NOW + 90 * SECOND))
    async with bench(of) as table:
        table.transport.script(A, CUT)
        await table.run(300)
        assert table.transport.recipients == [A]
        assert await table.states(of) == [State.UNKNOWN]
        assert table.said("unknown", "expired") == ["unknown"]


async def test_a_copy_of_a_mail_whose_text_has_changed_goes_and_says_so() -> None:
    """Same Message-ID and Date, so that mailboxes see one mail; the change is in the log."""
    async with bench(message(A)) as table:
        table.transport.slow(A, math.inf, Stage.DOT)
        await table.run(10)
        await table.kill()
        table.mail = replace(MAIL, instance_display_name="Another Name")
        table.transport.slow(A, 0.0)
        await table.run(300)
        first, second = table.transport.tried
        assert (first.message_id, first.date) == (second.message_id, second.date)
        assert first.content != second.content
        assert table.said("mail_changed") == ["mail_changed"]


async def test_a_mail_that_was_only_deferred_has_a_date_of_its_own() -> None:
    """The same Message-ID, but when it was made is when it was made."""
    async with bench(message(A)) as table:
        table.transport.script(A, LATER)
        await table.run(60)
        first, second = table.transport.tried
        assert first.message_id == second.message_id
        assert first.date < second.date


# A fault of ours


class Chokes(Exception):
    """A fault that nobody has foreseen."""


async def test_a_fault_in_one_mail_holds_that_one_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said without what the message holds; the next start tries it again."""
    render = original

    def choke(of: Message, *rest: Any) -> Any:
        if of.recipients == (A,):
            raise Chokes("secret-of-the-message")
        return render(of, *rest)

    bad, good = message(A, send_after=NOW - HOUR), message(B)
    with monkeypatch.context() as patch:
        patch.setattr(attempt, "render", choke)
        async with bench(bad, good) as table:
            await table.run(600)
            assert await table.states(bad, good) == [State.HELD, State.SENT]
            assert table.said("internal_error") == ["internal_error"]
            assert "secret-of-the-message" not in repr(table.events)
            await table.stop()
            patch.undo()
            await table.run(10)
            assert await table.states(bad) == [State.SENT]


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DOT])
async def test_a_fault_in_the_transport_loses_nothing(stage: Stage) -> None:
    """Before the dot the message is held; at the dot it may have arrived, and goes the way of every cut."""
    of, good = message(A), message(B)
    async with bench(of, good) as table:
        send = table.transport.send

        async def choke(mail: Any, before_dot: Any) -> Any:
            if mail.recipient == A and len(table.transport.tried) < 2:
                table.transport.tried.append(mail)
                table.transport.times.append(0.0)
                if stage is Stage.DOT:
                    await before_dot()
                raise Chokes
            return await send(mail, before_dot)

        table.transport.send = choke  # type: ignore[method-assign]  # a fault that the real one should not have
        await table.run(60)
        assert await table.states(good) == [State.SENT]
        (found,) = await table.deliveries(of)
        expected = (State.QUEUED, 1) if stage is Stage.DOT else (State.HELD, 0)
        assert (found.state, found.ambiguous) == expected
        assert table.said("internal_error") == ["internal_error"]


# A ledger that fails


async def test_no_dot_goes_out_without_its_commit() -> None:
    """A disk that is full stops the letter before its dot; when there is room it goes, once, and not as a copy."""
    of = message(A)
    async with bench(of) as table:
        table.faults.before.add("dot")
        await table.run(600)
        assert table.transport.tried
        assert table.transport.arrived == []
        table.faults.mend()
        await table.run(30)
        assert len(table.transport.arrived) == 1
        (found,) = await table.deliveries(of)
        assert (found.state, found.attempts, found.ambiguous) == (State.SENT, 1, 0)
        assert table.source.marks == [of.id]


async def test_a_dot_that_was_written_though_it_failed_to_say_so_makes_no_copy() -> None:
    """The letter was stopped all the same, so that nothing is ambiguous."""
    of = message(A)
    async with bench(of) as table:
        table.faults.after.add("dot")
        await table.run(20)
        table.faults.mend()
        await table.run(30)
        (found,) = await table.deliveries(of)
        assert (found.state, found.ambiguous, len(table.transport.arrived)) == (State.SENT, 0, 1)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_outcome_that_the_ledger_does_not_take_is_written_later(when: str) -> None:
    """The server is told meanwhile; no copy goes out, however long it takes, and the ledger has it all in the end."""
    of = message(A)
    async with bench(of) as table:
        getattr(table.faults, when).update({"settle", "marked"})
        await table.run(600)
        assert len(table.transport.tried) == 1
        assert table.source.sent == {of.id}
        table.faults.mend()
        await table.run(60)
        (found,) = await table.deliveries(of)
        assert (found.state, found.attempts, found.ambiguous) == (State.SENT, 1, 0)
        assert len(table.transport.tried) == 1
        entry = await table.entry(of)
        assert entry.marked_at is not None
        assert [line.verdict for line in entry.history] == ["accepted"]
        assert entry.queue_id == "4D2F"


async def test_a_mail_whose_outcome_was_never_written_is_not_sent_again_where_the_server_was_told() -> None:
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


async def test_the_server_is_told_though_nothing_of_the_ledger_answers() -> None:
    """A disk that is gone takes the reading with it: what is known to be sent is told all the same."""
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


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", ["begin", "admit", "due", "interrupted", "next_due", "unmarked", "marked", "forget", "find"]
)
async def test_a_call_that_fails_for_a_while_loses_nothing_and_makes_no_copy(call: str, when: str) -> None:
    """Whichever it is, for ten minutes: in the end every message is sent once, counted once and marked."""
    messages = [message(f"{number}@example.com") for number in range(6)]
    async with bench(*messages) as table:
        getattr(table.faults, when).add(call)
        await table.run(600)
        table.faults.mend()
        await table.run(90)
        assert await table.counts() == {State.SENT: 6}
        assert len(table.transport.arrived) == 6
        assert {found.attempts for of in messages for found in await table.deliveries(of)} == {1}
        assert table.source.sent == {of.id for of in messages}
        assert await table.ledger.unmarked(table.clock.now()) == []


@pytest.mark.parametrize("call", ["begin", "dot", "settle", "due", "admit"])
async def test_a_ledger_that_fails_is_said_once_and_knocked_at_gently(call: str) -> None:
    """One line when it begins and one when it ends; ten minutes of it make no storm, at the disk, the relay or the log."""
    async with bench(*(message(f"{number}@example.com") for number in range(6))) as table:
        table.faults.before.add(call)
        await table.run(600)
        assert table.said("ledger_down", "ledger_up") == ["ledger_down"]
        assert len(table.transport.tried) <= 8 * 600 / 5
        assert len(table.clock.waits) < 900
        table.faults.mend()
        await table.run(60)
        assert table.said("ledger_down", "ledger_up") == ["ledger_down", "ledger_up"]


async def test_a_claim_that_was_lost_while_the_ledger_failed_is_recovered() -> None:
    """`begin` was written, and nobody heard of it: the delivery is not stuck under way until the next start."""
    of = message(A)
    async with bench(of) as table:
        table.faults.after.add("begin")
        await table.run(1)
        assert await table.states(of) == [State.PROCESSING]
        table.faults.mend()
        await table.run(20)
        assert await table.states(of) == [State.SENT]


async def test_a_mail_that_ends_while_lost_claims_are_looked_for_keeps_its_outcome() -> None:
    """What was under way when the question was asked is not taken for lost when the answer comes."""
    slow, lost = message(A, send_after=NOW - HOUR), message(B, send_after=NOW + 2 * SECOND)
    async with bench(slow, lost) as table:
        table.transport.slow(A, 12.0, Stage.DOT)
        await table.run(4)
        table.faults.after.add("begin")
        await table.run(2)
        assert await table.states(slow, lost) == [State.PROCESSING, State.PROCESSING]
        table.faults.mend()
        look, late = table.ledger.interrupted, asyncio.Event()

        async def interrupted() -> Sequence[Delivery]:
            found = await look()
            await table.clock.wait(late, 10.0)
            return found

        table.ledger.interrupted = interrupted  # type: ignore[method-assign]  # it answers late
        await table.run(60)
        assert not table.has_ended
        (found,) = await table.deliveries(slow)
        assert (found.state, found.attempts, found.ambiguous) == (State.SENT, 1, 0)
        assert await table.states(lost) == [State.SENT]
        assert [mail.recipient for mail in table.transport.tried] == [A, B]


# History


async def test_every_attempt_leaves_a_line() -> None:
    """When, how far, what was said, and how long it took; the reply's queue id is the delivery's."""
    of = message(A)
    async with bench(of) as table:
        table.transport.slow(A, 2.0)
        table.transport.script(A, LATER, CUT)
        await table.run(400)
        entry = await table.entry(of)
        assert [line.verdict for line in entry.history] == ["deferred", "uncertain", "accepted"]
        assert [line.code for line in entry.history] == [450, None, 250]
        assert [line.seconds for line in entry.history] == pytest.approx([2.0] * 3)
        assert entry.history[0].at == NOW
        assert entry.queue_id == "4D2F"


async def test_what_was_never_tried_says_why_in_its_history() -> None:
    """Refused by us, held, or withdrawn: `queue show` has the reason, not the log alone."""
    bad, held, gone = message("not an address"), message(B, content=UnknownContent("account_expiry_v1")), message(C)
    async with bench(bad, held, gone, schedule=HOURLY) as table:
        await retried(table, gone)
        table.source.sent.add(gone.id)
        await table.run(600)
        lasts = [(await table.entry(of)).history[-1] for of in (bad, held, gone)]
        assert [(last.stage, last.verdict) for last in lasts] == [
            ("render", "refused"), ("render", "held"), ("server", "withdrawn"),
        ]  # fmt: skip
        assert "not a mail address" in lasts[0].reply
        assert "account_expiry_v1" in lasts[1].reply
        assert "by somebody else" in lasts[2].reply


async def test_a_crash_leaves_a_line() -> None:
    """The operator sees that there was an attempt, and how far it came."""
    of = message(A)
    async with bench(of) as table:
        table.transport.slow(A, math.inf, Stage.DOT)
        await table.run(1)
        await table.kill()
        table.transport.slow(A, 0.0)
        await table.run(300)
        lines = [(line.stage, line.verdict) for line in (await table.entry(of)).history]
        assert lines == [("dot", "interrupted"), ("dot", "accepted")]
        assert table.said("interrupted") == ["interrupted"]


# Copies that the operator asks for


async def resend(table: Bench, of: Message) -> None:
    """Order another copy of what is sent or unknown."""
    (found,) = await table.deliveries(of)
    outcome = Outcome(State.QUEUED, table.clock.now(), found.attempts, 0, found.copy + 1)
    await table.ledger.apply_command(found, outcome, table.clock.now())
    table.worker.probe()


async def test_a_copy_has_a_message_id_of_its_own_and_is_read_from_the_server() -> None:
    """Though it is marked there; the server is not told again."""
    of = message(A)
    async with bench(of) as table:
        await table.run()
        await resend(table, of)
        await table.run(10)
        first, second = table.transport.tried
        assert first.message_id != second.message_id
        assert ".copy1@" in second.message_id
        assert await table.states(of) == [State.SENT]
        assert (table.source.calls.count("read"), table.source.marks) == (1, [of.id])


async def test_a_copy_of_what_is_gone_is_not_sent() -> None:
    """There is nothing to make it of."""
    of = message(A)
    async with bench(of) as table:
        await table.run()
        table.source.delete(of)
        await resend(table, of)
        await table.run(60)
        assert len(table.transport.tried) == 1
        assert await table.states(of) == [State.WITHDRAWN]


async def test_a_copy_that_is_cut_is_the_same_copy_again() -> None:
    """A copy of a copy has the copy's Message-ID."""
    of = message(A)
    async with bench(of) as table:
        await table.run()
        table.transport.script(A, CUT)
        await resend(table, of)
        await table.run(200)
        _, second, third = table.transport.tried
        assert second == third


# Clocks


@pytest.mark.parametrize("off", [timedelta(days=1), -timedelta(days=1), timedelta(days=400), -timedelta(days=400)])
async def test_a_machine_whose_clock_is_wrong_sends_what_lives_and_nothing_else(off: timedelta) -> None:
    """The server's time is the one in which links end; that the machine's is wrong is said once."""
    living = message(A, content=reset(expires_at=NOW + 10 * MINUTE))
    dead = message(B, content=reset(expires_at=NOW - 10 * MINUTE))
    async with bench(living, dead, off=off) as table:
        table.source.date = lambda: table.clock.true
        await table.run(600)
        assert table.transport.recipients == [A]
        assert await table.states(dead) == [State.EXPIRED]
        assert table.said("clock_down") == ["clock_down"]
        assert abs(table.transport.tried[0].date - NOW) < MINUTE


@pytest.mark.parametrize("step", [timedelta(days=1), -timedelta(days=1), timedelta(hours=2), -timedelta(hours=2)])
async def test_a_step_of_the_machines_clock_during_a_wait_changes_nothing(step: timedelta) -> None:
    """The retry comes in its time, the link is not taken for dead, and the Date stays the world's."""
    of = message(A, content=reset(expires_at=NOW + 30 * MINUTE))
    async with bench(of, schedule=HOURLY) as table:
        table.source.date = lambda: table.clock.true
        table.transport.script(A, LATER, LATER)
        await table.run(20)
        table.clock.off = step
        await table.run(600)
        assert await table.states(of) == [State.SENT]
        waits = [later - earlier for earlier, later in pairwise(table.transport.times)]
        assert waits == pytest.approx([30, 120], rel=0.21)
        assert abs(table.transport.tried[2].date - (NOW + table.transport.times[2] * SECOND)) < MINUTE


async def test_a_ledger_written_by_a_clock_that_ran_ahead_holds_nothing_back() -> None:
    """A next attempt days from now is none: it is due."""
    of = message(A)
    async with bench(of) as table:
        table.transport.script(A, DOWN)
        await table.run(1)
        await table.kill()
        (found,) = await table.deliveries(of)
        ahead = Outcome(State.QUEUED, NOW + timedelta(days=3), 0, 0)
        await table.ledger.settle(found, ahead, NOW)
        await table.run(60)
        assert await table.states(of) == [State.SENT]


async def test_the_query_for_everything_is_the_ledgers_whole() -> None:
    """The bench itself: what it counts is what there is."""
    async with bench(message(A, B)) as table:
        await table.run()
        assert len(await table.ledger.find(Query(), 10)) == sum((await table.counts()).values()) == 2
