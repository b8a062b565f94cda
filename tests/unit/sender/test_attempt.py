"""One attempt, from its claim to its end: made again as it was, stopped by a fault of ours, written into the history."""

import math
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from mail_sender import clock
from mail_sender.ledger.base import Query
from mail_sender.ledger.states import State
from mail_sender.mail.render import render as original
from mail_sender.message import Message, UnknownContent
from mail_sender.sender import attempt
from mail_sender.verdict import Stage
from tests.support.samples import CUT, HOUR, LATER, MAIL, MINUTE, NOW, SECOND, A, B, C, message, reset
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME

HOURLY = "@hourly"


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
    """At most one copy more; it is not marked, since nobody knows."""
    of = message(A)
    async with bench(of, schedule="0 * * * * *") as table:
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


async def test_a_dot_that_is_late_was_not_sent_and_the_mail_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, as it certainly did not arrive; log and history say why, and neither relay nor ledger is at fault."""
    of = message(A)
    async with bench(of, schedule=HOURLY) as table:
        dot, untils = table.ledger.dot, iter([clock.elapsed() - 1.0])

        async def late(*args: Any) -> float | None:
            await dot(*args)
            return next(untils, None)

        monkeypatch.setattr(table.ledger, "dot", late)
        await table.run(10)
        assert (len(table.transport.tried), len(table.transport.arrived)) == (2, 1)
        assert table.said("dot_late", "sent", "relay_down", "ledger_down") == ["dot_late", "sent"]
        ((entry,),) = [await table.ledger.find(Query(), 10)]
        assert (entry.delivery.state, entry.delivery.ambiguous) == (State.SENT, 0)
        assert [(line.verdict, line.stage) for line in entry.history] == [
            ("interrupted", "body"),
            ("accepted", "dot"),
        ]


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
        await table.defer(gone)
        table.source.sent.add(gone.id)
        await table.run(600)
        lasts = [(await table.entry(of)).history[-1] for of in (bad, held, gone)]
        assert [(last.stage, last.verdict) for last in lasts] == [
            ("render", "refused"), ("render", "held"), ("server", "withdrawn"),
        ]  # fmt: skip
        assert "not a mail address" in lasts[0].reply
        assert "account_expiry_v1" in lasts[1].reply
        assert "somebody else marked it" in lasts[2].reply


async def test_a_copy_has_a_message_id_of_its_own_and_is_read_from_the_server() -> None:
    """Though it is marked there; it is not marked again."""
    of = message(A)
    async with bench(of) as table:
        await table.run()
        await table.resend(of)
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
        await table.resend(of)
        await table.run(60)
        assert len(table.transport.tried) == 1
        assert await table.states(of) == [State.WITHDRAWN]


async def test_a_copy_that_is_cut_is_the_same_copy_again() -> None:
    """A copy of a copy has the copy's Message-ID."""
    of = message(A)
    async with bench(of) as table:
        await table.run()
        table.transport.script(A, CUT)
        await table.resend(of)
        await table.run(200)
        _, second, third = table.transport.tried
        assert second == third


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
