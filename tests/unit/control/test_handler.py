"""Commands on a real ledger: what each verb makes of each state, and what it says where it changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.condition import Fault
from mail_sender.control import lookup
from mail_sender.control.command import Command
from mail_sender.control.handler import Handler
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit, LedgerFault, MessageGone, ServerFault, ServerFaultKind
from mail_sender.ledger.base import Attempt, Delivery, Imprint, Ledger, Outcome, Query
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.message import Found, Message
from mail_sender.sender.worker import Worker
from tests.support.samples import ELLIE, NOW, message, reset

BOB = "bob@example.com"
DAY = timedelta(days=1)
LATER = NOW + timedelta(minutes=20)
DOWN = Attempt(NOW, "connect", "relay_down", None, "connection refused", 0.1)
DEFERRED = Attempt(NOW, "rcpt", "deferred", 450, "4.2.0 later", 0.1)


class Clock(SteadyClock):
    """A clock that stands, but for what is waited: each wait is over at once, after others had their turn."""

    def __init__(self, start: datetime = NOW) -> None:
        self._start = start
        self._passed = 0.0
        super().__init__()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        self._passed += seconds
        for _ in range(20):
            await asyncio.sleep(0)
        return event.is_set()


class Server:
    """A source of which only `read` is asked."""

    def __init__(self, *messages: Message, fault: Exception | None = None) -> None:
        self._messages = {each.id: each for each in messages}
        self._fault = fault

    async def read(self, message: UUID) -> Found:
        if self._fault:
            raise self._fault
        if message not in self._messages:
            raise MessageGone
        return Found(self._messages[message], NOW)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"no command needs {name}")


class FakeWorker(Worker):
    """A worker that counts how often it is woken, and then does the given work."""

    def __init__(self, work: Any = None) -> None:
        self.probes = self.wakes = 0
        self.working: asyncio.Task[None] | None = None
        self.wrong: list[Fault] = []
        self._work = work

    def wake(self) -> None:
        self.wakes += 1

    def faults(self) -> list[Fault]:
        return self.wrong

    def probes_in(self) -> float | None:
        return 23.4 if self.wrong else None

    def probe(self) -> None:
        self.probes += 1
        if self._work:
            self.working = asyncio.ensure_future(self._work())


@pytest.fixture
async def ledger() -> AsyncIterator[SqliteLedger]:
    """Give an empty ledger."""
    ledger = await SqliteLedger.open(None)
    yield ledger
    await ledger.close()


async def become(ledger: Ledger, of: Message, state: State, **counts: Any) -> None:
    """Lead all deliveries of a message to a state."""
    await ledger.admit([of], NOW, DAY)
    for delivery in await ledger.deliveries(of.id):
        outcome = Outcome(state, LATER, counts.get("attempts", 3), counts.get("ambiguous", 0), 0)
        if state in {State.HELD, State.EXPIRED, State.WITHDRAWN}:
            await ledger.settle(delivery, outcome, NOW)
            continue
        begun = await ledger.begin(delivery)
        if state is State.SENT:
            await ledger.dot(begun, Imprint("<1@example.com>", NOW, "00"))
        if state is not State.PROCESSING:
            await ledger.settle(begun, outcome, NOW, counts.get("attempt"))


async def ask(handler: Handler, verb: str, **fields: Any) -> list[ResponseLine]:
    """Give a command, and return its response."""
    lines = [line async for line in handler.answer(Command(verb, **fields))]
    assert "end" in lines[-1]
    assert not any("end" in line for line in lines[:-1])
    return lines


async def only(ledger: Ledger, of: Message) -> Delivery:
    """Return a message's one delivery."""
    (delivery,) = await ledger.deliveries(of.id)
    return delivery


def handler_on(
    ledger: Ledger, source: Any = None, worker: FakeWorker | None = None, clock: Clock | None = None
) -> Handler:
    """Return a handler, by default with neither source nor sender."""
    return Handler(ledger, source, clock or Clock(), worker)


def results(lines: Sequence[ResponseLine]) -> list[ResponseLine]:
    """Return what was done."""
    return [line["result"] for line in lines if "result" in line]


async def test_a_list_comes_newest_first_in_pages(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page says from where the next one goes on; the last one says nothing."""
    monkeypatch.setattr(lookup, "PAGE", 2)
    sent = [message() for _ in range(5)]
    await ledger.admit(sent, NOW, DAY)
    ids, before = [], None
    for expected in (2, 2, 1):
        *lines, end = await ask(handler_on(ledger), "list", before=before)
        assert len(lines) == expected
        ids += [line["entry"]["message_id"] for line in lines]
        before = end["end"]["before"]
    assert before is None
    assert ids == [str(each.id) for each in reversed(sent)]


async def test_a_list_holds_what_fits_and_masks_addresses_unless_asked(ledger: SqliteLedger) -> None:
    """By state and recipient, in whatever case."""
    await become(ledger, message(ELLIE), State.FAILED)
    await become(ledger, message(BOB), State.FAILED)
    await become(ledger, message(BOB), State.SENT)
    wanted = {"recipient": "BOB@example.com", "states": frozenset({State.FAILED})}
    *lines, _ = await ask(handler_on(ledger), "list", **wanted)
    assert [(line["entry"]["status"], line["entry"]["recipient"]) for line in lines] == [
        ("failed", "b***@example.com")
    ]
    *lines, _ = await ask(handler_on(ledger), "list", **wanted, show_addresses=True)
    assert [line["entry"]["recipient"] for line in lines] == [BOB]


async def test_a_message_is_shown_by_the_start_of_its_id(ledger: SqliteLedger) -> None:
    """With every recipient and every attempt; a start that fits more than one names what it fits."""
    one, other = message(ELLIE, BOB, number=0xABCDEF1 << 100), message(number=0xABCDEF2 << 100)
    await become(ledger, one, State.QUEUED, attempt=DEFERRED)
    await ledger.admit([other], NOW, DAY)
    handler = handler_on(ledger)
    *lines, end = await ask(handler, "show", message=str(one.id)[:8])
    assert {line["entry"]["recipient"] for line in lines} == {"e***@example.com", "b***@example.com"}
    assert [attempt["reply"] for attempt in lines[0]["entry"]["history"]] == ["4.2.0 later"]
    assert end["end"]["exit"] == Exit.DONE
    (end,) = await ask(handler, "show", message=str(one.id)[:6])
    assert end["end"]["exit"] == Exit.FAILED
    assert str(one.id) in end["end"]["message"]
    assert str(other.id) in end["end"]["message"]
    (end,) = await ask(handler, "show", message="ffffff")
    assert end["end"]["exit"] == Exit.FAILED


@pytest.mark.parametrize("state", [State.FAILED, State.ABANDONED, State.HELD, State.QUEUED])
async def test_retry_makes_a_delivery_due_now(ledger: SqliteLedger, state: State) -> None:
    """A new start; but what is queued anyway keeps its count, and what may have arrived is never forgotten."""
    of = message()
    await become(ledger, of, state, ambiguous=1)
    worker = FakeWorker()
    lines = await ask(handler_on(ledger, worker=worker), "retry", message=str(of.id))
    delivery = await only(ledger, of)
    assert (delivery.state, delivery.next_attempt, delivery.ambiguous) == (State.QUEUED, NOW, 1)
    assert delivery.attempts == (3 if state is State.QUEUED else 0)
    assert (lines[-1]["end"]["exit"], worker.wakes) == (Exit.DONE, 1)


VERBS = {
    "retry": {State.FAILED, State.ABANDONED, State.HELD, State.EXPIRED, State.QUEUED},
    "abandon": {State.QUEUED, State.HELD, State.UNKNOWN},
    "resend": {State.SENT, State.UNKNOWN, State.WITHDRAWN},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_changes_its_own_states_and_says_why_not_of_the_others(
    ledger: SqliteLedger, verb: str, state: State
) -> None:
    """What cannot be done is a sentence and exit 1, and changes nothing."""
    of = message()
    await become(ledger, of, state)
    await ledger.marked(of.id, NOW)
    before = await only(ledger, of)
    *lines, end = await ask(handler_on(ledger, Server(of)), verb, message=str(of.id))
    (result,) = results(lines)
    assert result["done"] is (state in VERBS[verb])
    assert len(result["message"]) > 10
    assert end["end"]["exit"] == (Exit.DONE if result["done"] else Exit.FAILED)
    assert (await only(ledger, of) != before) is result["done"]


async def test_retry_takes_many_by_state_and_recipient(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, and only what fits."""
    monkeypatch.setattr(lookup, "PAGE", 2)
    held, others = [message(BOB) for _ in range(5)], [message(ELLIE), message(BOB)]
    for of in held:
        await become(ledger, of, State.HELD)
    await become(ledger, others[0], State.HELD)
    await become(ledger, others[1], State.FAILED)
    lines = await ask(handler_on(ledger), "retry", states=frozenset({State.HELD}), recipient=BOB)
    assert len(results(lines)) == 5
    assert "5 deliveries changed; no sender runs" in lines[-1]["end"]["message"]
    assert [(await only(ledger, of)).state for of in others] == [State.HELD, State.FAILED]


async def test_nothing_that_fits_is_exit_1(ledger: SqliteLedger) -> None:
    """And a sentence."""
    (end,) = await ask(handler_on(ledger), "retry", states=frozenset({State.HELD}))
    assert end["end"]["exit"] == Exit.FAILED
    assert "nothing" in end["end"]["message"]


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED])
async def test_what_is_past_its_deadline_is_not_retried(ledger: SqliteLedger, state: State) -> None:
    """Its mail would come too late, or with a dead link; what a wrong clock had expired is (above)."""
    of = message(content=reset(expires_at=NOW + timedelta(minutes=30)))
    await become(ledger, of, state)
    clock = Clock(NOW + timedelta(hours=1))
    lines = await ask(handler_on(ledger, clock=clock), "retry", message=str(of.id))
    assert "is too late" in results(lines)[0]["message"]
    assert (await only(ledger, of)).state is state


async def test_what_changed_meanwhile_is_read_again(ledger: SqliteLedger) -> None:
    """A command never goes by what was, and never raises for it."""
    of = message()
    await become(ledger, of, State.QUEUED)

    class Racing:
        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        async def apply_command(self, *arguments: Any) -> None:
            if (current := await only(ledger, of)).state is State.QUEUED:
                await ledger.begin(current)
            await ledger.apply_command(*arguments)

    lines = await ask(handler_on(Racing()), "abandon", message=str(of.id))
    assert "being sent right now" in results(lines)[0]["message"]
    assert lines[-1]["end"]["exit"] == Exit.FAILED


@pytest.mark.parametrize("state", [State.SENT, State.UNKNOWN])
async def test_resend_queues_a_copy_of_its_own(ledger: SqliteLedger, state: State) -> None:
    """Attempts and ambiguity are the copy's, and start from nothing."""
    of = message()
    await become(ledger, of, state, ambiguous=2)
    await ledger.marked(of.id, NOW)
    await ask(handler_on(ledger, Server(of)), "resend", message=str(of.id))
    delivery = await only(ledger, of)
    assert (delivery.state, delivery.next_attempt) == (State.QUEUED, NOW)
    assert (delivery.copy, delivery.attempts, delivery.ambiguous) == (1, 0, 0)


@pytest.mark.parametrize(
    ("change", "exit_code", "word"),
    [
        (None, Exit.FAILED, "does not have the message any more"),
        ({"recipients": (BOB,)}, Exit.FAILED, "not among the message's recipients"),
        ({"content": reset(expires_at=NOW)}, Exit.FAILED, "is too late"),
        ({"delete_after": NOW}, Exit.FAILED, "is too late"),
    ],
)
async def test_resend_refuses_what_would_be_of_no_use(
    ledger: SqliteLedger, change: dict[str, Any] | None, exit_code: Exit, word: str
) -> None:
    """By what the server says of it now."""
    of = message()
    await become(ledger, of, State.SENT)
    await ledger.marked(of.id, NOW)
    server = Server() if change is None else Server(replace(of, **change))
    lines = await ask(handler_on(ledger, server), "resend", message=str(of.id))
    assert lines[-1]["end"]["exit"] == exit_code
    assert word in str(lines)
    assert (await only(ledger, of)).state is State.SENT


async def test_resend_waits_until_the_first_copy_is_marked(ledger: SqliteLedger) -> None:
    """Or a second copy that fails would leave the message unmarked for ever."""
    of = message()
    await become(ledger, of, State.SENT)
    lines = await ask(handler_on(ledger, Server(of)), "resend", message=str(of.id))
    assert "the first copy is not marked as sent on the server yet" in lines[-1]["end"]["message"]
    assert (await only(ledger, of)).state is State.SENT


async def test_faults_of_others_are_exit_75_and_a_sentence(ledger: SqliteLedger) -> None:
    """The identity server's, and the disk's."""
    of = message()
    await become(ledger, of, State.SENT)
    await ledger.marked(of.id, NOW)
    fault = ServerFault(ServerFaultKind.UNREACHABLE, "connection refused", "start it")
    (end,) = await ask(handler_on(ledger, Server(fault=fault)), "resend", message=str(of.id))
    assert end["end"]["exit"] == Exit.TEMPORARY
    assert "connection refused; start it" in end["end"]["message"]

    class Full:
        async def find(self, *_: Any) -> Any:
            raise LedgerFault("SQLITE_FULL", "the disk is full", "make room")

    (end,) = await ask(handler_on(Full()), "list")  # type: ignore[arg-type]  # it fails before anything else is called
    assert end["end"]["exit"] == Exit.TEMPORARY
    assert "make room" in end["end"]["message"]


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


async def test_flush_of_nothing_is_done(ledger: SqliteLedger) -> None:
    """There is nothing to wait for."""
    (end,) = await ask(handler_on(ledger, worker=FakeWorker()), "flush")
    assert (end["end"]["exit"], end["end"]["message"]) == (Exit.DONE, "nothing is queued or held")


# What is wrong


async def test_what_is_wrong_comes_before_anything_else(ledger: SqliteLedger) -> None:
    """Of every waiting message, not only of the one that met it; with the time of the next try."""
    of = message()
    await become(ledger, of, State.QUEUED)
    worker = FakeWorker()
    worker.wrong = [Fault("relay", "connect", NOW, "connection refused", "start it")]
    for verb in ("list", "show", "retry"):
        lines = await ask(handler_on(ledger, worker=worker), verb, message=str(of.id))
        (found,) = [line["condition"] for line in lines if "condition" in line]
        assert (found["name"], found["kind"], found["next_try_in"]) == ("relay", "connect", 23)
        assert found["message"] == "connection refused; start it"
        assert "condition" in lines[0] or verb == "retry"


async def test_a_flush_that_tried_nothing_is_explained_by_what_is_wrong(ledger: SqliteLedger) -> None:
    """A refusal had opened the breaker, and nothing was tried meanwhile."""
    await ledger.admit([message()], NOW, DAY)
    worker = FakeWorker()
    worker.wrong = [Fault("relay", "rcpt", NOW, "the relay answers 554 5.7.1", "look at it")]
    *_, end = await ask(handler_on(ledger, worker=worker, clock=Clock()), "flush")
    assert "the relay is unusable (rcpt: the relay answers 554 5.7.1)" in end["end"]["message"]


@pytest.mark.parametrize(
    ("verb", "state", "written"),
    [("retry", State.FAILED, "retried"), ("abandon", State.UNKNOWN, "given up"), ("resend", State.SENT, "resent")],
)
async def test_a_command_leaves_a_line_of_history(
    ledger: SqliteLedger, verb: str, state: State, written: str
) -> None:
    """Who reads it later knows that a person did it, and when."""
    of = message()
    await become(ledger, of, state)
    await ledger.marked(of.id, NOW)
    await ask(handler_on(ledger, Server(of)), verb, message=str(of.id))
    (entry,) = await ledger.find(Query(message=str(of.id)), 1)
    last = entry.history[-1]
    assert (last.stage, last.verdict, last.reply) == ("operator", written, "by hand")


async def test_what_an_operator_does_is_said_in_the_log_of_the_sender(ledger: SqliteLedger) -> None:
    """Once for each command, however many deliveries it means."""
    for _ in range(3):
        await become(ledger, message(), State.HELD)
    with capture_logs() as events:
        await ask(handler_on(ledger, worker=FakeWorker()), "retry", states=frozenset({State.HELD}))
    (event,) = events
    assert (event["event"], event["verb"], event["message"]) == (
        "operator_command",
        "retry",
        "an operator changed 3",
    )
