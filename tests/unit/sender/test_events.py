"""The log events of messages: recipients are masked, and nothing that a message holds is repeated."""

from collections.abc import Callable
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from mail_sender.control import response
from mail_sender.ledger.base import Delivery, Entry, Outcome
from mail_sender.ledger.states import State
from mail_sender.mail.mail import message_id
from mail_sender.message import OddEntry
from mail_sender.sender import events
from mail_sender.verdict import Accepted, Refused, Reply, Uncertain, Verdict
from tests.support.samples import (
    CUT,
    DOWN,
    ELLIE,
    IMPRINT,
    INTENT,
    LATER,
    MAIL,
    NO,
    NOW,
    OK,
    SECOND,
    delivery,
    message,
    reset,
)

OF = message(ELLIE, content=reset("Confidential Name"), number=1)
TO = delivery(OF)
AT_THE_DOT = delivery(OF, State.PROCESSING, dot=True, imprint=IMPRINT)


def becomes(state: State, seconds: float = 0) -> Outcome:
    """Return an outcome."""
    return Outcome(state, NOW + seconds * SECOND, 6, 0)


VERDICTS: list[tuple[Verdict, Outcome, str, str, str]] = [
    (OK, becomes(State.SENT), "sent", "info", ""),
    (Accepted(Reply(250, "not sent: x.eml"), is_written=True), becomes(State.SENT), "written", "info", "not sent: x"),
    (NO, becomes(State.FAILED), "failed", "error", "not tried again"),
    (Refused(None, "no mail"), becomes(State.FAILED), "failed", "error", "not tried again"),
    (NO, becomes(State.UNKNOWN), "unknown", "error", "may have arrived"),
    (LATER, becomes(State.QUEUED, 30), "deferred", "warning", "tried again in 30 s"),
    (LATER, becomes(State.QUEUED, 720), "deferred", "warning", "tried again in 12 min"),
    (LATER, becomes(State.ABANDONED), "abandoned", "error", "not accepted in 6 attempts; `mail-sender queue retry"),
    (LATER, becomes(State.UNKNOWN), "unknown", "error", "may have arrived"),
    (CUT, becomes(State.QUEUED, 120), "uncertain", "warning", "sent once more in 2 min"),
    (CUT, becomes(State.UNKNOWN), "unknown", "warning", "not sent again"),
]


@pytest.mark.parametrize(("verdict", "outcome", "event", "level", "words"), VERDICTS)
def test_each_verdict_is_one_event(verdict: Verdict, outcome: Outcome, event: str, level: str, words: str) -> None:
    """Its name is the state's where it is final, its level stable; it says which message, for whom, and what follows."""
    with capture_logs() as logged:
        events.verdict(verdict, TO, outcome, NOW)
    (found,) = logged
    assert (found["event"], found["log_level"]) == (event, level)
    facts = (found["message_id"], found["kind"], found["recipient"])
    assert facts == (OF.id, "credential_reset_v1", "e***@example.com")
    assert words in found.get("message", "")


def test_a_verdict_is_logged_with_the_relays_words_and_a_relay_that_is_down_is_not() -> None:
    """As in the relay's own log: the reply, its stage, the queue id; what is down is its condition's to log."""
    with capture_logs() as logged:
        for verdict, state in ((OK, State.SENT), (NO, State.FAILED), (LATER, State.QUEUED), (DOWN, State.QUEUED)):
            events.verdict(verdict, TO, becomes(state), NOW)
    assert [(found.get("stage"), found.get("queue_id"), str(found["reply"])) for found in logged] == [
        (None, "4D2F", "250 2.0.0 Ok: queued as 4D2F"), ("rcpt", None, str(NO.reply)), ("rcpt", None, str(LATER.reply))
    ]  # fmt: skip


def test_a_copy_has_the_number_that_the_queue_commands_and_its_message_id_give_it() -> None:
    """Whoever finds it in one place finds it in the others; the mail itself has none."""
    copied = delivery(OF, copy=1)
    with capture_logs() as logged:
        for each in (TO, copied):
            events.verdict(OK, each, becomes(State.SENT), NOW)
    shown = response.entry(Entry(1, copied, NOW, NOW, None, None, None, ()), show_addresses=False, whole=False)
    assert [found.get("copy") for found in logged] == [None, 1]
    assert shown["entry"]["copy"] == 1
    assert ".copy1@" in message_id(OF, ELLIE, MAIL, copied.copy)


OTHERS: list[tuple[Callable[[Delivery], None], str, str]] = [
    (lambda to: events.expired(to, State.EXPIRED), "expired", "not mailed"),
    (lambda to: events.expired(to, State.UNKNOWN), "unknown", "may have arrived"),
    (lambda to: events.withdrawn(to, State.WITHDRAWN, "marked"), "withdrawn", "marked; not mailed"),
    (lambda to: events.withdrawn(to, State.UNKNOWN, "marked"), "unknown", "may have arrived"),
    (lambda to: events.interrupted(to, State.QUEUED), "interrupted", "not sent yet"),
    (lambda _: events.interrupted(AT_THE_DOT, State.QUEUED), "interrupted", "sent once more"),
    (lambda _: events.interrupted(AT_THE_DOT, State.UNKNOWN), "unknown", "may have arrived"),
    (events.changed, "mail_changed", "same Message-ID"),
    (lambda to: events.held(to, "no template"), "held", "no template"),
    (lambda to: events.failed(to, "no mail could be made of it"), "failed", "not tried again"),
    (
        lambda to: events.crashed(to, ValueError(f"{INTENT} of Confidential for {ELLIE}")),
        "internal_error",
        "ValueError",
    ),
]


@pytest.mark.parametrize(("log", "event", "words"), OTHERS)
def test_each_other_end_is_one_event_that_says_what_follows(
    log: Callable[[Delivery], None], event: str, words: str
) -> None:
    """For the operator, who wants to know whether there is something to do."""
    with capture_logs() as logged:
        log(TO)
    assert [found["event"] for found in logged] == [event]
    assert words in logged[0]["message"]


EVENTS: list[Callable[[Delivery], None]] = [
    *(log for log, _, _ in OTHERS),
    *(lambda to, case=case: events.verdict(case[0], to, case[1], NOW) for case in VERDICTS),
]


@pytest.mark.parametrize("event", EVENTS)
def test_no_event_holds_an_intent_id_a_name_or_an_address(event: Callable[[Delivery], None]) -> None:
    """Neither as a value nor inside one that is turned into text."""
    with capture_logs() as logged:
        event(TO)
    assert len(logged) == 1
    for secret in (str(INTENT), "Confidential", ELLIE):
        assert secret not in repr(logged)
        assert not any(secret in str(value) for value in logged[0].values())


def test_a_fault_of_ours_is_said_with_its_place() -> None:
    """File and line, so that a report of it is worth something."""
    try:
        raise KeyError("secret")
    except KeyError as error:
        with capture_logs() as logged:
            events.crashed(TO, error)
    assert "KeyError at test_events.py:" in logged[0]["message"]


def test_an_odd_entry_is_named_with_its_problem() -> None:
    """So that an operator finds it in the queue."""
    with capture_logs() as logged:
        events.odd([OddEntry("some-id", "cannot be read: id (uuid_parsing)")])
    assert (logged[0]["event"], logged[0]["message_id"]) == ("malformed_entry", "some-id")
    assert "id (uuid_parsing)" in logged[0]["message"]


def test_a_recipient_that_cannot_be_read_is_named_beside_those_that_get_their_mail() -> None:
    """The entry is not left where it is."""
    with capture_logs() as logged:
        events.odd([OddEntry("some-id", "mail_destination.1 (string_type)", partly=True)])
    assert logged[0]["message"] == "mail_destination.1 (string_type); the other recipients get their mail"


def test_of_very_many_only_the_first_are_named() -> None:
    """And how many more there are, so that the log stays one."""
    with capture_logs() as logged:
        events.odd([OddEntry(str(number), "x") for number in range(1_000)], 7)
        events.unsent([UUID(int=number) for number in range(1_000)])
    assert len(logged) == 2 * (events.MOST_NAMED + 1)
    assert [event["more"] for event in logged if "more" in event] == [987, 980]


def test_an_un_sent_message_is_named_with_the_command_that_mails_it() -> None:
    """Nothing else does."""
    with capture_logs() as logged:
        events.unsent([OF.id])
    assert f"mail-sender queue resend {OF.id}" in logged[0]["message"]


def test_a_recipient_that_is_no_address_is_hidden_whole() -> None:
    """What has no @ may be anything, so nothing of it is shown."""
    with capture_logs() as logged:
        events.failed(delivery(message("https://secret.example")), "no address")
    assert logged[0]["recipient"] == "***"


def test_a_wait_is_written_as_a_person_would() -> None:
    """Seconds up to two minutes, then minutes; what is past is no wait."""
    said = []
    for seconds in (-5, 0, 29.6, 119, 120, 1200):
        with capture_logs() as logged:
            events.verdict(Uncertain("cut"), TO, becomes(State.QUEUED, seconds), NOW)
        said.append(logged[0]["message"].rpartition("once more in ")[2])
    assert said == ["0 s", "0 s", "30 s", "119 s", "2 min", "20 min"]
