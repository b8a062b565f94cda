"""The flow as a whole, over a ledger in memory, a scripted server, a scripted relay and a clock that never waits."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from mail_sender.errors import ServerTrouble, Trouble
from mail_sender.ledger.memory import MemoryLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message, OddEntry, UnknownContent
from mail_sender.schedule import Schedule
from mail_sender.settings import WorkerConfig
from mail_sender.source.base import Standing
from mail_sender.verdict import Accepted, Deferred, LaneDown, Refused, Reply, Stage, Uncertain
from mail_sender.worker import LANE_WAIT, STANDING_LASTS, Stages, Worker
from tests.support.fake_clock import FakeClock
from tests.support.memory_source import Call, MemorySource, trouble
from tests.support.recording_transport import RecordingTransport
from tests.unit.samples import ELLIE, INTENT, LETTER, NOW, message, reset

NO = Refused(Stage.RCPT, "refused by the relay", Reply(550, "5.1.1 no such user"))
LATER = Deferred(Stage.RCPT, Reply(450, "4.2.0 greylisted"))
DOWN = LaneDown(Stage.CONNECT, "connection refused", "start it", lasting=False)
CUT = Uncertain("connection cut")
CALLS: tuple[Call, ...] = ("standing", "list_ready", "mark_sent")
A, B, C = "a@example.com", "b@example.com", "c@example.com"


@dataclass
class Bench:
    """A worker and all that it reaches, with what it said."""

    source: MemorySource
    schedule: str = "*/5 * * * * *"
    batch_size: int = 500
    transport: RecordingTransport = field(default_factory=RecordingTransport)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    events: list[Any] = field(default_factory=list)
    worker: Worker | None = None

    def __post_init__(self) -> None:
        """Make the worker."""
        config = WorkerConfig(Schedule(self.schedule), self.batch_size)
        self.worker = Worker(Stages(self.source, self.ledger, self.transport), LETTER, config, self.clock)

    async def run(self, polls: int = 1, stop: asyncio.Event | None = None) -> None:
        """Work until so many waits between polls have passed, or the event is set."""
        assert self.worker is not None
        self.clock.stop_after = len(self.clock.waits) + polls
        with capture_logs() as events:
            async with asyncio.timeout(30):
                await self.worker.run(stop or asyncio.Event())
        self.events += events

    async def states(self, of: Message) -> list[State]:
        """Return where a message stands for each recipient."""
        found = await self.ledger.deliveries([of.id])
        return [delivery.state for delivery in found[of.id]]

    def said(self, *names: str) -> list[str]:
        """Return the names of events that are not for `-d` alone, or of those among them."""
        said = [event["event"] for event in self.events if event["log_level"] != "debug"]
        return [event for event in said if not names or event in names]


def bench(*messages: Message, odd: Iterable[OddEntry] = (), **rest: Any) -> Bench:
    """Return a bench with these messages queued."""
    return Bench(MemorySource(messages, odd), **rest)


# The good day


async def test_what_is_queued_is_mailed_and_marked() -> None:
    """One poll at start: each message is mailed once and marked once."""
    messages = [message(f"{number}@example.com") for number in range(20)]
    table = bench(*messages)
    await table.run()
    assert sorted(table.transport.recipients) == sorted(of.recipients[0] for of in messages)
    assert sorted(table.source.marks) == sorted(of.id for of in messages)
    assert table.said("sent", "marked") == ["sent", "marked"] * 20


async def test_messages_go_by_their_send_after() -> None:
    """Whatever the order of the list, the oldest goes first, two to one address as well."""
    ages = [3, 1, 2, 5, 4]
    table = bench(*(message(ELLIE, send_after=NOW - timedelta(minutes=age), number=age) for age in ages))
    await table.run()
    assert [letter.message_id.partition("@")[0][-1] for letter in table.transport.tried] == ["5", "4", "3", "2", "1"]


async def test_nothing_is_mailed_twice_however_often_it_is_listed() -> None:
    """A lagging replica that goes on listing what is sent causes no second copy."""
    table = bench(message(A), message(B))
    table.source.forgetful = True
    await table.run(polls=50)
    assert table.transport.recipients == [A, B]
    assert len(table.source.marks) == 2


async def test_each_verdict_is_settled_before_the_next_letter() -> None:
    """When a letter goes out, the one before it is final, and its message marked."""
    first, second = message(A, number=1), message(B, number=2)
    table = bench(first, second)
    seen: list[object] = []
    table.transport.meanwhile = lambda letter: seen.append((letter.recipient, list(table.source.marks)))
    await table.run()
    assert seen == [(A, []), (B, [first.id])]


async def test_connections_to_the_relay_are_given_back_after_each_round() -> None:
    """Between polls nothing is kept open."""
    table = bench(message())
    await table.run(polls=3)
    assert table.transport.closed == 3


async def test_the_first_poll_is_at_start_and_the_next_ones_on_the_schedule() -> None:
    """Waits lead from tick to tick."""
    table = bench(clock=FakeClock(NOW + timedelta(seconds=1)))
    await table.run(polls=3)
    assert table.clock.waits == [4.0, 5.0, 5.0]
    assert table.source.calls.count("list_ready") == 3


# Several recipients


async def test_one_refused_recipient_among_three_does_not_stop_the_others() -> None:
    """The other two get their mail, and the message is marked once."""
    of = message(A, B, C)
    table = bench(of)
    table.transport.script(B, NO)
    await table.run(polls=5)
    assert table.transport.recipients == [A, B, C]
    assert table.source.marks == [of.id]
    assert await table.states(of) == [State.SENT, State.FAILED, State.SENT]


async def test_a_message_is_marked_when_its_last_recipient_is_final() -> None:
    """Not before the one that waits for its retry is through."""
    of = message(A, B)
    table = bench(of)
    table.transport.script(B, LATER)
    await table.run(polls=1)
    assert table.source.marks == []
    await table.run(polls=4)
    assert table.transport.recipients == [A, B, B]
    assert table.source.marks == [of.id]


async def test_a_message_that_nobody_got_is_not_marked() -> None:
    """All refused: the server is told nothing, and nobody is mailed again."""
    of = message(A, B)
    table = bench(of)
    table.transport.script(A, NO)
    table.transport.script(B, NO)
    await table.run(polls=5)
    assert table.transport.recipients == [A, B]
    assert table.source.marks == []
    assert table.said("failed") == ["failed", "failed"]


async def test_a_message_with_one_sent_and_one_expired_recipient_is_marked() -> None:
    """Expiry is final, too: once nothing is left to wait for, the server is told."""
    of = message(A, B, content=reset(expires_at=NOW + timedelta(seconds=65)))
    table = bench(of)
    table.transport.script(B, *[LATER] * 10)
    await table.run(polls=6)
    assert await table.states(of) == [State.SENT, State.EXPIRED]
    assert table.source.marks == [of.id]


# Standing


@pytest.mark.parametrize("kind", [Trouble.TOKEN_READ_ONLY, Trouble.NOT_A_SENDER, Trouble.TOKEN_REFUSED])
async def test_nothing_is_mailed_under_a_token_that_could_not_mark_it(kind: Trouble) -> None:
    """It is said once, checked again at each poll, and mail goes out when it is mended."""
    table = bench(message())
    table.source.script("standing", *[trouble(kind)] * 10)
    await table.run(polls=10)
    assert table.transport.tried == []
    assert table.said() == ["server_down"]
    assert table.source.calls == ["standing"] * 10
    await table.run()
    assert table.said() == ["server_down", "server_ready", "server_up", "sent", "marked"]


async def test_a_token_that_turns_read_only_stops_the_mail_at_the_first_mark() -> None:
    """The letter that showed it is not mailed again, and nothing else goes out until the standing is good."""
    first, second = message(A), message(B)
    table = bench(first, second)
    table.source.script("mark_sent", trouble(Trouble.TOKEN_READ_ONLY))
    table.source.script("standing", None, *[trouble(Trouble.TOKEN_READ_ONLY)] * 3)
    await table.run(polls=4)
    assert table.transport.recipients == [A]
    await table.run(polls=1)
    assert table.transport.recipients == [A, B]
    assert table.source.sent == {first.id, second.id}


async def test_a_good_standing_is_asked_for_again_after_a_while() -> None:
    """Not at each poll, but every ten minutes."""
    table = bench(schedule="0 * * * * *")
    await table.run(polls=20)
    assert table.source.calls.count("standing") == 20 * 60 // STANDING_LASTS
    assert table.said() == ["server_ready"]


async def test_more_groups_than_needed_are_warned_of_once() -> None:
    """By name."""
    table = bench()
    table.source.account = Standing("mailer", may_write=True, excess_groups=("idm_admins",))
    await table.run(polls=3)
    assert [event["groups"] for event in table.events if event["event"] == "more_groups"] == ["idm_admins"]


# Odd entries and unknown kinds


async def test_a_bad_entry_is_named_once_and_the_good_ones_go_out() -> None:
    """However many polls list it."""
    table = bench(message(A), message(B), odd=[OddEntry("x", "cannot be read: id (missing)")])
    await table.run(polls=5)
    assert table.transport.recipients == [A, B]
    assert table.said("odd_entry") == ["odd_entry"]


async def test_a_message_of_an_unknown_kind_is_held() -> None:
    """Said once, never mailed, never marked, and in nobody's way."""
    strange, good = message(A, content=UnknownContent("account_expiry_v1")), message(B)
    table = bench(strange, good)
    await table.run(polls=5)
    assert table.transport.recipients == [B]
    assert table.source.marks == [good.id]
    assert await table.states(strange) == [State.HELD]
    assert [event["kind"] for event in table.events if event["event"] == "held"] == ["account_expiry_v1"]


async def test_a_recipient_that_is_no_address_fails_alone() -> None:
    """No mail can be made for it; the others of the message get theirs, and it is marked."""
    of = message("no address", B)
    table = bench(of)
    await table.run(polls=3)
    assert table.transport.recipients == [B]
    assert await table.states(of) == [State.FAILED, State.SENT]
    assert (table.source.marks, table.said("failed")) == ([of.id], ["failed"])


async def test_an_expired_link_is_not_mailed() -> None:
    """A link with no minute left is given up, said once, and not marked."""
    of, good = message(A, content=reset(expires_at=NOW + timedelta(seconds=59))), message(B)
    table = bench(of, good)
    await table.run(polls=5)
    assert table.transport.recipients == [B]
    assert await table.states(of) == [State.EXPIRED]
    assert (table.source.marks, table.said("expired")) == ([good.id], ["expired"])


async def test_a_message_of_long_ago_that_is_still_listed_is_not_news_at_each_poll() -> None:
    """Where the server should have deleted it more than a day ago, it is not mailed, and at most said once."""
    of = message(A, send_after=NOW - timedelta(days=30), delete_after=NOW - timedelta(days=2))
    table = bench(of)
    await table.run(polls=5)
    assert table.transport.tried == []
    assert len(table.said("expired")) <= 1


async def test_a_message_that_is_to_live_for_ever_does_no_harm() -> None:
    """The last moment of the calendar is a time like any other."""
    of = message(A, delete_after=datetime.max.replace(tzinfo=UTC))
    table = bench(of)
    await table.run(polls=2)
    assert table.source.marks == [of.id]


# The lane


async def test_a_lane_that_is_down_ends_the_round_after_one_letter() -> None:
    """Nobody's mail pays for it: all of it goes out when the lane is up again."""
    table = bench(message(A), message(B), message(C))
    table.transport.always(DOWN)
    await table.run()
    assert table.transport.recipients == [A]
    assert table.said() == ["server_ready", "relay_down"]


async def test_a_letter_that_breaks_the_lane_does_not_hold_up_the_others_for_ever() -> None:
    """A relay that cuts the connection whenever it sees one message: the next try is another message's."""
    table = bench(message(A), message(B))
    table.transport.script(A, *[LaneDown(Stage.DATA, "connection cut", "look", lasting=False)] * 1_000)
    await table.run(polls=2 * 12)
    assert table.transport.recipients == [A, B]


async def test_a_lane_that_is_down_is_tried_once_a_minute_by_one_letter() -> None:
    """Ten minutes of polls every five seconds make eleven tries, one line when it began, one when it ends."""
    table = bench(message(A), message(B))
    table.transport.always(DOWN)
    await table.run(polls=10 * 12)
    assert len(table.transport.tried) == 600 / LANE_WAIT
    table.transport.always(None)
    await table.run(polls=1)
    assert table.transport.recipients[-2:] == [A, B]
    assert table.said("relay_down", "relay_up", "sent") == ["relay_down", "relay_up", "sent", "sent"]
    assert next(event["down_seconds"] for event in table.events if event["event"] == "relay_up") == 600


async def test_marks_are_told_while_the_lane_is_down() -> None:
    """What was sent before is none of the relay's business any more."""
    first, second = message(A), message(B)
    table = bench(first, second)
    table.source.script("mark_sent", trouble(Trouble.UNREACHABLE))
    table.transport.meanwhile = lambda letter: table.transport.always(DOWN if letter.recipient == B else None)
    await table.run(polls=3)
    assert table.source.sent == {first.id}


async def test_a_lane_down_costs_no_attempt() -> None:
    """The ledger's count is of the relay's words on this mail alone."""
    of = message(A)
    table = bench(of)
    table.transport.script(A, DOWN, DOWN)
    await table.run(polls=60)
    (delivery,) = (await table.ledger.deliveries([of.id]))[of.id]
    assert (delivery.state, delivery.attempts) == (State.SENT, 1)


# Later and perhaps


async def test_what_is_not_taken_now_is_tried_at_a_later_poll() -> None:
    """A 4xx holds nobody back, and the message goes out and is marked in the end."""
    first, second = message(A), message(B)
    table = bench(first, second)
    table.transport.script(A, LATER, LATER)
    await table.run(polls=8)
    assert table.transport.recipients[:2] == [A, B]
    assert table.transport.recipients.count(A) == 3
    assert table.source.sent == {first.id, second.id}
    assert table.said("deferred") == ["deferred", "deferred"]


async def test_what_was_cut_at_the_dot_goes_once_more_after_two_minutes() -> None:
    """The same mail, with the same Message-ID; then the relay's word counts."""
    of = message(A)
    table = bench(of)
    times: list[float] = []
    table.transport.meanwhile = lambda _: times.append(table.clock.monotonic())
    table.transport.script(A, CUT)
    await table.run(polls=40)
    assert len(times) == 2
    assert 120 <= times[1] - times[0] <= 125
    assert len({letter.message_id for letter in table.transport.tried}) == 1
    assert table.source.marks == [of.id]


async def test_what_was_cut_twice_is_unknown_and_never_sent_again() -> None:
    """At most one copy more; the server is not told, since nobody knows."""
    of = message(A)
    table = bench(of)
    table.transport.script(A, CUT, CUT)
    await table.run(polls=100)
    assert table.transport.recipients == [A, A]
    assert await table.states(of) == [State.UNKNOWN]
    assert table.source.marks == []


async def test_what_was_cut_and_has_no_time_left_is_unknown() -> None:
    """Its link runs out before it could go once more: it may have arrived, so it is not expired."""
    of = message(A, content=reset(expires_at=NOW + timedelta(seconds=90)))
    table = bench(of)
    table.transport.script(A, CUT)
    await table.run(polls=40)
    assert table.transport.recipients == [A]
    assert await table.states(of) == [State.UNKNOWN]


# The server


async def test_trouble_with_the_server_is_said_once_and_ends_with_mail() -> None:
    """It keeps trying on the schedule; nothing is lost."""
    table = bench(message(A))
    table.source.script("list_ready", *[trouble(Trouble.UNREACHABLE)] * 10)
    await table.run(polls=11)
    assert table.said() == ["server_ready", "server_down", "server_up", "sent", "marked"]
    assert table.clock.waits == [5.0] * 11


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 10.0), (0.0, 5.0), (4.0, 5.0), (300.0, 305.0), (None, 5.0)])
async def test_retry_after_goes_over_the_schedule(asked: float | None, waited: float) -> None:
    """The next poll is the first tick after the wait that the server asks for."""
    table = bench()
    table.source.script("list_ready", trouble(Trouble.OVERLOADED, retry_after=asked))
    await table.run(polls=2)
    assert table.clock.waits == [waited, 5.0]


async def test_ticks_that_pass_during_a_round_are_not_made_up_for() -> None:
    """A round of 23 seconds is followed by the next tick, not by four polls at once."""
    table = bench(message(A))
    table.transport.meanwhile = lambda _: table.clock.advance(23)
    await table.run(polls=2)
    assert table.clock.waits == [2.0, 5.0]
    assert table.source.calls.count("list_ready") == 2


async def test_a_mark_that_fails_is_told_again_and_never_causes_mail() -> None:
    """At each poll, before anything new, until the server has heard it."""
    of = message(A)
    table = bench(of)
    table.source.script("mark_sent", *[trouble(Trouble.UNREACHABLE)] * 5)
    await table.run(polls=10)
    assert table.transport.recipients == [A]
    assert (table.source.marks, table.source.sent) == ([of.id] * 6, {of.id})


async def test_marks_that_wait_come_before_new_mail() -> None:
    """The list is polled, the mark is told, and only then a new letter goes out."""
    first, second = message(A), message(B, send_after=NOW + timedelta(seconds=1))
    table = bench(first, second)
    table.source.script("mark_sent", trouble(Trouble.UNREACHABLE))
    heard: list[bool] = []
    table.transport.meanwhile = lambda _: heard.append(first.id in table.source.sent)
    await table.run(polls=3)
    assert heard == [False, True]


async def test_one_mark_that_always_fails_is_said_once() -> None:
    """A message that the server chokes on is not news again whenever another one's mark succeeds."""
    cursed = message(A)
    later = [message(B, send_after=NOW + timedelta(seconds=1 + 5 * poll)) for poll in range(5)]
    table = bench(cursed, *later)
    table.source.cursed.add(cursed.id)
    await table.run(polls=7)
    assert table.said("server_down") == ["server_down"]
    assert table.source.sent == {of.id for of in later}


async def test_a_404_on_a_mark_settles_it() -> None:
    """Where the account is still a sender the message is gone: said once, not told again, not mailed again."""
    of = message(A)
    table = bench(of)
    table.transport.meanwhile = lambda _: table.source.messages.clear()
    await table.run(polls=3)
    assert table.transport.recipients == [A]
    assert table.source.marks == [of.id]
    assert table.said("gone_before_mark") == ["gone_before_mark"]


# Batches and the end


async def test_more_than_a_batch_is_followed_by_the_next_round_at_once() -> None:
    """Twenty-five letters in batches of ten go out without waiting for a tick."""
    table = bench(*(message(f"{number}@example.com") for number in range(25)), batch_size=10)
    await table.run()
    assert len(table.transport.tried) == len(table.source.sent) == 25
    assert table.source.calls.count("list_ready") == 3
    assert table.clock.waits == [5.0]


async def test_a_full_batch_of_nothing_but_waiting_does_not_spin() -> None:
    """Where all of a batch is deferred, or the lane is down, the next round waits for its tick."""
    for verdict, tried in ((LATER, 10), (DOWN, 1)):
        table = bench(*(message() for _ in range(10)), batch_size=10)
        table.transport.always(verdict)
        await table.run()
        assert len(table.transport.tried) == tried
        assert table.source.calls.count("list_ready") <= 2


async def test_the_stop_event_between_two_letters_starts_nothing_new() -> None:
    """The letter under way is finished, settled and marked; the next one stays queued."""
    first, second = message(A), message(B)
    table, stop = bench(first, second), asyncio.Event()
    table.transport.meanwhile = lambda _: stop.set()
    await table.run(stop=stop)
    assert table.transport.recipients == [A]
    assert table.source.marks == [first.id]
    assert await table.states(second) == [State.QUEUED]
    assert (table.clock.waits, table.transport.closed) == ([], 1) or table.clock.waits == [5.0]


async def test_a_stop_before_the_start_does_nothing() -> None:
    """Not even a poll."""
    table, stop = bench(message()), asyncio.Event()
    stop.set()
    await table.run(stop=stop)
    assert table.source.calls == []


async def test_a_schedule_that_is_over_ends_the_sender() -> None:
    """After its last tick, with a word."""
    table = bench(message(A), schedule="0 0 0 1 1 * 2027")
    await table.run(polls=5)
    assert table.source.calls.count("list_ready") == 2
    assert table.said()[-1] == "schedule_over"
    assert table.source.sent


async def test_no_event_of_a_round_holds_an_intent_id_or_an_address() -> None:
    """Whatever becomes of a reset, its secret is in its mail and nowhere else."""
    verdicts: list[Any] = [Accepted(Reply(250, "ok")), NO, LATER, CUT, DOWN]
    table = bench(*(message(f"person-{number}@example.com", content=reset()) for number in range(len(verdicts))))
    for number, verdict in enumerate(verdicts):
        table.transport.script(f"person-{number}@example.com", verdict)
    await table.run(polls=40)
    assert {"sent", "failed", "deferred", "uncertain", "relay_down"} <= set(table.said())
    text = repr(table.events) + "".join(str(value) for event in table.events for value in event.values())
    assert INTENT not in text
    assert "person-" not in text


async def test_trouble_raised_in_any_call_ends_only_its_round() -> None:
    """Each call of the source may fail at any time; in the end all is mailed once and marked."""
    for call in CALLS:
        for kind in Trouble:
            messages = [message(A), message(B), message(C)]
            table = bench(*messages)
            error: ServerTrouble = trouble(kind)
            table.source.script(call, None, error, error)
            await table.run(polls=6)
            assert table.transport.recipients == [A, B, C]
            assert table.source.sent == {of.id for of in messages}
