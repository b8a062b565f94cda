"""Commands on a real ledger: what each verb makes of each state, and what it says where it changes nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from mail_sender.condition import Fault
from mail_sender.control import lookup
from mail_sender.control.verbs import VERBS
from mail_sender.errors import Exit, LedgerFault, ServerFault, ServerFaultKind
from mail_sender.ledger.base import Query
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import FINAL, State
from mail_sender.sender import attempt_end
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.limits import Limit
from tests.support.samples import ELLIE, HOUR, MINUTE, NOW, message, reset
from tests.unit.control.handling import (
    BOB,
    DAY,
    DEFERRED,
    Clock,
    FakeWorker,
    Server,
    ask,
    become,
    handler_on,
    only,
    results,
)


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
    of, ambiguous = message(), int(state not in FINAL)
    await become(ledger, of, state, ambiguous=ambiguous)
    worker = FakeWorker()
    lines = await ask(handler_on(ledger, worker=worker), "retry", message=str(of.id))
    delivery = await only(ledger, of)
    assert (delivery.state, delivery.next_attempt, delivery.ambiguous) == (State.QUEUED, NOW, ambiguous)
    assert delivery.attempts == (3 if state is State.QUEUED else 0)
    assert (lines[-1]["end"]["exit"], worker.wakes) == (Exit.DONE, 1)


@pytest.mark.parametrize(("verb", "written"), [("retry", "retried"), ("abandon", "given up"), ("resend", "resent")])
async def test_a_verb_changes_its_own_states_and_says_why_not_of_the_others(
    ledger: SqliteLedger, verb: str, written: str
) -> None:
    """What is done stands in the history; what cannot be done is a sentence and exit 1, and changes nothing."""
    for state in State:
        of = message()
        await become(ledger, of, state, ambiguous=int(verb == "resend"))
        await ledger.marked([of.id], NOW)
        before = await only(ledger, of)
        *lines, end = await ask(handler_on(ledger, Server(of)), verb, message=str(of.id))
        (result,) = results(lines)
        assert result["done"] is (state in VERBS[verb].takes)
        assert len(result["message"]) > 10
        assert end["end"]["exit"] == (Exit.DONE if result["done"] else Exit.FAILED)
        assert (await only(ledger, of) != before) is result["done"]
        (entry,) = await ledger.find(Query(message=str(of.id)), 1)
        lines_of_operator = [(line.verdict, line.reply) for line in entry.history if line.stage == "operator"]
        assert lines_of_operator == [(written, "by hand")] * result["done"]


async def test_retry_takes_many_by_state_and_recipient(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, and only what fits; where nothing does, that is exit 1."""
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
    (end,) = await ask(handler_on(ledger), "retry", states=frozenset({State.HELD}), recipient=BOB)
    assert end["end"]["exit"] == Exit.FAILED
    assert "nothing" in end["end"]["message"]


async def test_what_is_past_its_deadline_is_not_retried(ledger: SqliteLedger) -> None:
    """Its mail would come too late, or with a dead link; what a wrong clock had expired is (above)."""
    of = message(content=reset(expires_at=NOW + timedelta(minutes=30)))
    await become(ledger, of, State.FAILED)
    clock = Clock(NOW + timedelta(hours=1))
    lines = await ask(handler_on(ledger, clock=clock), "retry", message=str(of.id))
    assert "is too late" in results(lines)[0]["message"]
    assert (await only(ledger, of)).state is State.FAILED


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
    await ledger.marked([of.id], NOW)
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
    await ledger.marked([of.id], NOW)
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
    await ledger.marked([of.id], NOW)
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


async def test_what_an_operator_does_is_said_in_the_log_of_the_sender(ledger: SqliteLedger) -> None:
    """Once for each command, however many deliveries it means; a message that it names by its whole id."""
    messages = [message() for _ in range(3)]
    for of in messages:
        await become(ledger, of, State.HELD)
    handler = handler_on(ledger, worker=FakeWorker(), clock=Clock())
    with capture_logs() as events:
        await ask(handler, "retry", states=frozenset({State.HELD}))
        await ask(handler, "abandon", message=str(messages[0].id))
        await ask(handler, "flush")
    assert [(event["event"], event["verb"], event.get("message_id"), event["message"]) for event in events] == [
        ("operator_command", "retry", None, "an operator changed 3 deliveries"),
        ("operator_command", "abandon", str(messages[0].id), "an operator changed 1 delivery"),
        ("operator_command", "flush", None, "an operator changed 2 deliveries"),
    ]


async def test_what_a_limit_holds_back_is_shown_with_its_reason_and_its_time(ledger: SqliteLedger) -> None:
    """By the history where it is put off, by the running sender where it is due; nothing else is."""
    put_off, due, waits, sent = (message() for _ in range(4))
    await ledger.admit([put_off, due], NOW, DAY)
    found = await only(ledger, put_off)
    ended = attempt_end.held_back(found, NOW + HOUR, "5 mails an hour", NOW)
    await ledger.settle(found, ended.outcome, NOW, ended.attempt)
    await become(ledger, waits, State.QUEUED, attempt=DEFERRED)
    await become(ledger, sent, State.SENT)
    worker = FakeWorker()
    worker.held = (
        HeldBack(Limit.PER_RECIPIENT, "5 mails an hour", NOW, 1, NOW + HOUR),
        HeldBack(Limit.PER_MINUTE, "60 mails a minute", NOW, 1, NOW + MINUTE),
    )
    *lines, _ = await ask(handler_on(ledger, worker=worker), "list")
    held = {line["entry"]["message_id"]: line["entry"]["held_back"] for line in lines if "entry" in line}
    assert held == {
        str(put_off.id): {
            "limit": "per_recipient_per_hour",
            "reason": "5 mails an hour",
            "until": "2026-11-21T13:00:00.000Z",
        },
        str(due.id): {"limit": "per_minute", "reason": "60 mails a minute", "until": "2026-11-21T12:01:00.000Z"},
        str(waits.id): None,
        str(sent.id): None,
    }
    limits = [line["condition"] for line in lines if "condition" in line]
    assert [(line["name"], line["kind"], line["message"], line["next_try_in"]) for line in limits] == [
        ("limit", "per_recipient_per_hour", "5 mails an hour; 1 delivery waits", 3600),
        ("limit", "per_minute", "60 mails a minute; 1 delivery waits", 60),
    ]
    *lines, _ = await ask(handler_on(ledger), "list")
    held = {line["entry"]["message_id"]: bool(line["entry"]["held_back"]) for line in lines if "entry" in line}
    assert held == {str(put_off.id): True, str(due.id): False, str(waits.id): False, str(sent.id): False}
