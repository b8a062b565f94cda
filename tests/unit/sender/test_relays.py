"""A first relay and its fallbacks: mail goes over when the first one is down, and comes back by itself."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from mail_sender.ledger.base import Outcome
from mail_sender.ledger.states import State
from mail_sender.message import Message
from mail_sender.sender.config import ReputationConfig, RetryConfig
from mail_sender.sender.limits import Limits
from mail_sender.verdict import RelayDown, Reply, Stage, Throttled, Verdict
from tests.support.known_replies import on
from tests.support.relay_gates import BAD_CERTIFICATE, BAD_LOGIN
from tests.support.samples import CUT, DAY, DOWN, ELLIE, IMPRINT, NO, NOW, A, B, C, crowd, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import AFTER, FALLBACKS, PLACE, Bench, bench

pytestmark = VIRTUAL_TIME

QUOTA = on(Stage.MAIL, "550 5.4.5 Daily user sending quota exceeded")


def switched(table: Bench) -> list[tuple[str, str]]:
    """Return the switches that were logged: from where to where."""
    return [(event["before"], event["relay"]) for event in table.facts("relay_switched")]


async def later(table: Bench, *messages: Message, seconds: float = 4.0) -> None:
    """Have more messages queued, and let the worker work."""
    table.source.messages = [*table.source.messages, *messages]
    await table.run(seconds)


@pytest.mark.parametrize("down", [DOWN, BAD_LOGIN, BAD_CERTIFICATE, QUOTA])
async def test_while_the_first_relay_is_down_the_fallback_carries_its_mail(down: Verdict) -> None:
    """Whatever the reason; each of the two moves is one line, and no attempt is counted."""
    of = [message(A), message(B)]
    async with bench(*of, fallbacks=1) as table:
        table.transport.always(down)
        await table.run(AFTER - 2)
        assert table.fallbacks[0].tried == []
        await table.run(130)  # a mail that the relay refused lets others go first for two minutes
        assert await table.states(*of) == [State.SENT] * 2
        assert {mail.recipient for mail in table.fallbacks[0].arrived} == {A, B}
        assert [found.attempts for one in of for found in await table.deliveries(one)] == [1, 1]
        assert switched(table) == [(PLACE, FALLBACKS[0])]
        table.transport.always(None)
        await table.run(1_000)
        await later(table, message(C))  # the probe
        assert table.transport.recipients[-1] == C
        assert switched(table) == [(PLACE, FALLBACKS[0]), (FALLBACKS[0], PLACE)]
        assert table.said("relay_down", "relay_up", "fallback_down") == ["relay_down", "relay_up"]


async def test_the_first_relay_is_probed_meanwhile_and_gets_all_mail_as_soon_as_one_is_accepted() -> None:
    """The rest of the queue does not go by the fallback any more."""
    async with bench(*crowd(100), fallbacks=1) as table:
        table.transport.always(DOWN)
        table.fallbacks[0].take(5.0)
        await table.run(AFTER + 60)
        assert len(table.transport.tried) > 4
        table.transport.always(None)
        await table.run(120)
        assert len(table.transport.arrived) + len(table.fallbacks[0].arrived) == 100
        assert len(table.transport.arrived) > 10
        assert switched(table) == [(PLACE, FALLBACKS[0]), (FALLBACKS[0], PLACE)]


async def test_each_mail_says_by_which_relay_it_went() -> None:
    """In the ledger, for each attempt; and in the log where it is not the first one."""
    of = message(A)
    async with bench(of, fallbacks=1) as table:
        table.transport.always(DOWN)
        await table.run(AFTER + 10)
        entry = await table.entry(of)
        assert [one.relay for one in entry.history] == [PLACE] * (len(entry.history) - 1) + [FALLBACKS[0]]
        assert entry.delivery.imprint is not None
        assert entry.delivery.imprint.relay == FALLBACKS[0]
        assert [event["relay"] for event in table.facts("sent")] == [FALLBACKS[0]]
        table.transport.always(None)
        await later(table, other := message(B), seconds=60)
        assert [one.relay for one in (await table.entry(other)).history] == [PLACE]
        assert "relay" not in table.facts("sent")[-1]


async def test_a_mail_cut_at_the_dot_waits_for_its_own_relay_and_other_mail_does_not() -> None:
    """The first relay may have it: the fallback never gets it, however long that takes."""
    of, others = message(A), [message(B), message(C)]
    async with bench(of, fallbacks=1) as table:
        table.transport.script(A, CUT, CUT)
        await table.run(1)
        table.transport.always(DOWN)
        await later(table, *others, seconds=1_800)
        assert await table.states(*others) == [State.SENT] * 2
        assert await table.states(of) == [State.QUEUED]
        assert A not in table.fallbacks[0].recipients
        table.transport.always(None)
        table.transport.script(A)
        await table.run(600)
        assert await table.states(of) == [State.UNKNOWN]  # its second cut was scripted
        assert [mail.recipient for mail in table.transport.arrived].count(A) == 2


async def test_a_mail_cut_at_the_fallbacks_dot_waits_for_the_fallback() -> None:
    """Although the first relay takes all other mail again."""
    of = message(A)
    async with bench(of, fallbacks=1) as table:
        table.transport.always(DOWN)
        table.fallbacks[0].script(A, CUT)
        await table.run(AFTER + 10)
        assert [found.ambiguous for found in await table.deliveries(of)] == [1]
        table.transport.always(None)
        table.fallbacks[0].always(DOWN)
        await later(table, message(B), seconds=600)
        assert table.transport.recipients[-1] == B
        assert await table.states(of) == [State.QUEUED]
        table.fallbacks[0].always(None)
        await table.run(60)
        assert await table.states(of) == [State.SENT]
        assert table.fallbacks[0].recipients[-1] == A


@pytest.mark.parametrize("place", [PLACE, FALLBACKS[0], "gone.example:465", None])
async def test_what_waits_for_its_own_relay_holds_nothing_else_up_however_much_it_is(place: str | None) -> None:
    """Neither in what is read from the ledger, nor in what is planned."""
    stuck, others = crowd(150), [message(B), message(C)]
    async with bench(*stuck, *others, fallbacks=1, schedule="@hourly") as table:
        await table.ledger.admit(stuck, NOW, DAY)
        for one in stuck:
            (found,) = await table.deliveries(one)
            begun = await table.ledger.begin(found)
            await table.ledger.dot(begun, replace(IMPRINT, relay=place))
            await table.ledger.settle(begun, Outcome(State.QUEUED, NOW, 0, 1), NOW)
        down, up = reversed(table.transports) if place == FALLBACKS[0] else table.transports
        down.always(DOWN)
        await table.run(AFTER + 60)
        assert await table.states(*others) == [State.SENT] * 2
        assert set(up.recipients) == {B, C}


async def test_a_mail_killed_at_the_dot_goes_by_its_own_relay_after_the_restart() -> None:
    """The ledger knows which one had it."""
    of = message(A)
    async with bench(of, fallbacks=1) as table:
        table.transport.always(DOWN)
        table.fallbacks[0].slow(A, 600, Stage.DOT)
        await table.run(AFTER + 10)
        await table.kill()
        table.transport.always(None)
        table.fallbacks[0].slow(A, 0.0)
        await table.run(300)
        assert await table.states(of) == [State.SENT]
        assert table.fallbacks[0].recipients == [A, A]


async def test_a_fault_of_our_own_at_the_fallback_opens_its_own_breaker_alone() -> None:
    """Both are down: mail waits and costs no attempts, and goes by whichever is back first."""
    of = message(A)
    async with bench(of, fallbacks=1) as table:
        table.transport.always(DOWN)
        table.fallbacks[0].always(BAD_LOGIN)
        await table.run(1_000)
        assert [found.attempts for found in await table.deliveries(of)] == [0]
        assert table.said("relay_down", "fallback_down") == ["relay_down", "fallback_down"]
        assert [fault.name for fault in table.worker.faults()] == ["relay", "fallback"]
        assert FALLBACKS[0] in table.worker.faults()[1].detail
        assert not any(view.carries for view in table.worker.relay_views())
        table.fallbacks[0].always(None)
        await table.run(900)
        assert await table.states(of) == [State.SENT]
        assert table.facts("fallback_up")[0]["place"] == FALLBACKS[0]
        assert [view.carries for view in table.worker.relay_views()] == [False, True]
        assert switched(table) == [(PLACE, FALLBACKS[0])]


async def test_the_second_fallback_carries_what_neither_of_the_others_can() -> None:
    """In their order; and the first one gets it back."""
    async with bench(message(A), fallbacks=2) as table:
        table.transport.always(DOWN)
        table.fallbacks[0].always(DOWN)
        await table.run(AFTER + 20)
        assert table.fallbacks[1].recipients == [A]
        assert switched(table) == [(PLACE, FALLBACKS[0]), (FALLBACKS[0], FALLBACKS[1])]
        table.fallbacks[0].always(None)
        await later(table, *crowd(9), seconds=60)
        assert switched(table)[-1] == (FALLBACKS[1], FALLBACKS[0])
        table.transport.always(None)
        await later(table, message(C), seconds=60)
        assert switched(table)[-1] == (FALLBACKS[0], PLACE)


async def test_a_refusal_by_the_fallback_is_final() -> None:
    """As one by the first relay."""
    of = message(A)
    async with bench(of, fallbacks=1) as table:
        table.transport.always(DOWN)
        table.fallbacks[0].script(A, NO)
        await table.run(AFTER + 10)
        assert await table.states(of) == [State.FAILED]


async def test_a_relay_that_only_wants_mail_more_slowly_is_not_down() -> None:
    """Its mail waits for it."""
    slow = Throttled(Stage.MAIL, Reply(451, "4.7.0 too fast"))
    async with bench(*crowd(12), fallbacks=1) as table:
        for number in range(4):
            table.transport.script(f"{number}@example.com", slow)
        await table.run(600)
        assert table.fallbacks[0].tried == []
        assert len(table.transport.arrived) == 12


async def test_a_probe_that_hangs_keeps_no_mail_from_the_fallback() -> None:
    """A black hole takes 15 seconds to say nothing, a relay that says nothing minutes."""
    async with bench(message(ELLIE), fallbacks=1) as table:
        table.transport.always(DOWN)
        await table.run(AFTER + 10)
        table.transport.always(None)
        table.transport.take(600)
        await later(table, *crowd(20), seconds=60)
        assert len(table.fallbacks[0].arrived) >= 19
        assert len(table.transport.tried) - len(table.transport.arrived) > 0
        await table.kill()


async def test_a_flush_probes_the_first_relay_at_once() -> None:
    """The operator has mended it, and does not wait."""
    async with bench(message(A), fallbacks=1) as table:
        table.transport.always(BAD_LOGIN)
        await table.run(AFTER + 10)
        table.transport.always(None)
        table.source.messages = [*table.source.messages, message(B)]
        table.worker.probe()
        await table.run(10)
        assert table.transport.recipients[-1] == B
        assert [view.carries for view in table.worker.relay_views()] == [True, False]


async def test_limits_count_the_mails_of_all_relays_together() -> None:
    """They protect the sender's name, whichever way its mail goes."""
    limits = ReputationConfig(Limits(per_minute=5))
    async with bench(*crowd(20), fallbacks=1, reputation=limits) as table:
        table.transport.script("3@example.com", DOWN)
        await table.run(AFTER + 10)
        table.transport.always(DOWN)
        await table.run(300)
        every = sorted([*table.transport.arrivals, *table.fallbacks[0].arrivals])
        assert len(every) == 20
        assert all(later - earlier >= 59 for earlier, later in zip(every, every[5:], strict=False))


async def test_a_changed_configuration_begins_with_the_first_relay_again() -> None:
    """Its password may have been mended; what the old relays still end is not logged as a switch."""
    async with bench(message(A), fallbacks=1) as table:
        table.transport.always(RelayDown(Stage.AUTH, "535", "mend it", lasting=True))
        await table.run(AFTER + 10)
        table.worker.retire()
        table.transport.always(None)
        table.change()
        await later(table, message(B), seconds=10)
        assert table.transport.recipients[-1] == B
        assert switched(table) == [(PLACE, FALLBACKS[0])]


async def test_without_a_fallback_the_first_relay_is_waited_for() -> None:
    """As ever."""
    of = message(A)
    async with bench(of) as table:
        table.transport.always(DOWN)
        await table.run(timedelta(hours=1).total_seconds())
        assert await table.states(of) == [State.QUEUED]
        assert switched(table) == []


async def test_what_waits_for_its_own_relay_is_unknown_at_its_deadline() -> None:
    """And not only when that relay is back: it must not be queued, or fill what is read, for days."""
    of = message(A)
    async with bench(of, fallbacks=1, retry=RetryConfig(max_age=timedelta(minutes=10))) as table:
        table.transport.script(A, CUT)
        await table.run(1)
        table.transport.always(DOWN)
        await later(table, message(B), seconds=6)
        table.transport.always(None)
        table.transport.take(math.inf)
        await later(table, message(C), seconds=700)  # the next probe hangs
        assert await table.states(of) == [State.UNKNOWN]
        assert A not in table.fallbacks[0].recipients
        assert table.transport.in_flight.total() == 1
        await table.kill()
