"""A flush: what is due at once, how long it is waited for, and what is said of it."""

from collections import Counter
from datetime import timedelta

import pytest

from mail_sender.condition import Fault
from mail_sender.control.flush import Flushed
from mail_sender.errors import Exit
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.sender import attempt_end
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.limits import Limit
from tests.support.samples import HOUR, NOW, SECOND, message
from tests.unit.control.handling import DAY, DEFERRED, DOWN, Clock, FakeWorker, ask, become, handler_on, only


async def test_flush_without_a_sender_makes_all_due_and_says_when_it_goes(ledger: SqliteLedger) -> None:
    """Queued and held, with what they have behind them; nothing else."""
    queued, held, failed = message(), message(), message()
    await become(ledger, queued, State.QUEUED, ambiguous=1)
    await become(ledger, held, State.HELD)
    await become(ledger, failed, State.FAILED)
    lines = await ask(handler_on(ledger), "flush")
    for of, ambiguous in ((queued, 1), (held, 0)):
        delivery = await only(ledger, of)
        assert (delivery.state, delivery.next_attempt) == (State.QUEUED, NOW)
        assert (delivery.attempts, delivery.ambiguous) == (3, ambiguous)
    assert (await only(ledger, failed)).state is State.FAILED
    assert "2 deliveries made due; no sender runs" in lines[-1]["end"]["message"]
    assert lines[-1]["end"]["exit"] == Exit.TEMPORARY
    await become(ledger, queued, State.SENT)
    await become(ledger, held, State.SENT)
    assert (await ask(handler_on(ledger), "flush"))[-1]["end"]["exit"] == Exit.DONE


async def test_flush_waits_until_each_had_its_attempt_and_counts_what_became_of_them(ledger: SqliteLedger) -> None:
    """With progress on the way; what comes in meanwhile is not waited for."""
    ends = {State.SENT: 3, State.FAILED: 1, State.HELD: 1}
    waiting = [message() for _ in range(6)]
    await ledger.admit(waiting, NOW, DAY)

    async def work() -> None:
        await ledger.admit([message()], NOW, DAY)
        for of, state in zip(waiting, [end for end, count in ends.items() for _ in range(count)], strict=False):
            await become(ledger, of, state)
        await become(ledger, waiting[5], State.QUEUED, attempt=DEFERRED)

    worker = FakeWorker(work)
    *lines, end = await ask(handler_on(ledger, worker=worker), "flush")
    assert [line["progress"]["total"] for line in lines] == [6] * len(lines)
    assert lines[-1]["progress"]["done"] == 6
    assert (worker.probes, end["end"]["exit"]) == (1, Exit.DONE)
    for part in ("6 deliveries", "3 sent", "1 failed", "1 held", "1 refused for now"):
        assert part in end["end"]["message"]


async def test_flush_ends_when_the_relay_is_down(ledger: SqliteLedger) -> None:
    """With why the relay is down, and how many wait; exit 75."""
    waiting = [message() for _ in range(3)]
    await ledger.admit(waiting, NOW, DAY)
    worker = FakeWorker(lambda: become(ledger, waiting[0], State.QUEUED, attempt=DOWN))
    clock = Clock()
    *_, end = await ask(handler_on(ledger, worker=worker, clock=clock), "flush")
    assert end["end"]["exit"] == Exit.TEMPORARY
    assert "the relay is unusable (connect: connection refused); 2 still queued" in end["end"]["message"]
    assert clock.monotonic() < 10


async def test_flush_does_not_wait_for_ever_for_a_sender_that_tries_nothing(ledger: SqliteLedger) -> None:
    """Such as one whose identity server does not answer."""
    await ledger.admit([message()], NOW, DAY)
    clock = Clock()
    *_, end = await ask(handler_on(ledger, worker=FakeWorker(), clock=clock), "flush")
    assert end["end"]["exit"] == Exit.TEMPORARY
    assert "none was tried" in end["end"]["message"]
    assert "read the sender's log" in end["end"]["message"]
    assert 30 <= clock.monotonic() < 40


async def test_flush_is_not_held_up_by_what_goes_away(ledger: SqliteLedger) -> None:
    """A message that was purged meanwhile counts as gone."""
    of = message(delete_after=NOW + timedelta(minutes=1))
    await ledger.admit([of, message()], NOW, DAY)
    worker = FakeWorker(lambda: ledger.forget(NOW + 3 * DAY))
    *_, end = await ask(handler_on(ledger, worker=worker), "flush")
    assert "1 gone" in end["end"]["message"]


async def test_a_flush_that_tried_nothing_is_explained_by_what_is_wrong(ledger: SqliteLedger) -> None:
    """A refusal had opened the breaker, and nothing was tried meanwhile."""
    await ledger.admit([message()], NOW, DAY)
    worker = FakeWorker()
    worker.wrong = [Fault("relay", "rcpt", NOW, "the relay answers 554 5.7.1", "look at it")]
    *_, end = await ask(handler_on(ledger, worker=worker, clock=Clock()), "flush")
    assert "the relay is unusable (rcpt: the relay answers 554 5.7.1)" in end["end"]["message"]


async def test_a_flush_lifts_no_limit_and_says_so(ledger: SqliteLedger) -> None:
    """What the limit for a recipient puts off again is not waited for; while one holds all mail back, not for long."""
    waiting = [message() for _ in range(3)]
    await ledger.admit(waiting, NOW, DAY)
    reason = "the limit of 60 mails a minute is reached ([relay] per_minute)"
    worker = FakeWorker()
    worker.held = (HeldBack(Limit.PER_MINUTE, reason, NOW, 3, NOW + 40 * SECOND),)
    clock = Clock()
    *_, end = await ask(handler_on(ledger, worker=worker, clock=clock), "flush")
    assert end["end"]["exit"] == Exit.TEMPORARY
    assert f"{reason}, and a flush does not lift it; 3 still queued" in end["end"]["message"]
    assert clock.monotonic() < 10

    async def put_off() -> None:
        for of in waiting:
            found = await only(ledger, of)
            ended = attempt_end.held_back(found, NOW + HOUR, "5 mails an hour", NOW)
            await ledger.settle(found, ended.outcome, NOW, ended.attempt)

    *_, end = await ask(handler_on(ledger, worker=FakeWorker(put_off), clock=clock), "flush")
    assert end["end"]["exit"] == Exit.TEMPORARY
    expected = "3 deliveries: 3 held back by a limit; 5 mails an hour, and a flush does not lift it"
    assert end["end"]["message"] == expected


@pytest.mark.parametrize(
    ("became", "left", "expected"),
    [
        ({"sent": 2}, 0, Exit.DONE),
        ({"sent": 1, "failed": 1, "refused for now, tried again later": 1}, 0, Exit.DONE),
        ({"sent": 1}, 1, Exit.TEMPORARY),
        ({"sent": 1, "waiting for the relay": 1}, 0, Exit.TEMPORARY),
        ({"waiting for the relay": 1}, 0, Exit.TEMPORARY),
        ({"refused for now, tried again later": 1, "failed": 1}, 0, Exit.TEMPORARY),
        ({"cut off at the dot, may have arrived": 1}, 0, Exit.TEMPORARY),
        ({}, 1, Exit.TEMPORARY),
        ({"sent": 1, "held back by a limit": 1}, 0, Exit.TEMPORARY),
        ({"failed": 1, "held": 1}, 0, Exit.FAILED),
        ({"gone": 1}, 0, Exit.FAILED),
    ],
)
def test_a_flush_succeeds_only_where_mail_went_out(became: dict[str, int], left: int, expected: Exit) -> None:
    """A script that flushes learns whether to come back: 75 where something is tried again, 1 where nothing is."""
    assert Flushed(sum(became.values()) + left, Counter(became), left).exit_code == expected
