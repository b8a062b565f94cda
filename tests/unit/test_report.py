"""What the log says of messages: recipients are masked, and nothing that a message holds is repeated."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from mail_sender import report
from mail_sender.ledger.base import Delivery
from mail_sender.message import Message, OddEntry
from mail_sender.verdict import Accepted, Deferred, LaneDown, Refused, Reply, Stage, Uncertain, Verdict
from tests.unit.samples import ELLIE, INTENT, NOW, delivery, message, reset

OF = message(ELLIE, content=reset("Confidential Name"), number=1)
TO = delivery(OF)
OK, NO = Reply(250, "2.0.0 Ok: queued as 4D2F"), Reply(550, "5.1.1 no such user")

VERDICTS: list[tuple[Verdict, str, str]] = [
    (Accepted(OK), "sent", "info"),
    (Refused(Stage.RCPT, "refused by the relay", NO), "failed", "error"),
    (Refused(None, "no mail"), "failed", "error"),
    (Deferred(Stage.DATA, Reply(450, "later")), "deferred", "warning"),
    (Uncertain("connection cut"), "uncertain", "warning"),
]


@pytest.mark.parametrize(("verdict", "event", "level"), VERDICTS)
def test_each_verdict_is_one_event(verdict: Verdict, event: str, level: str) -> None:
    """Its name and level are stable, and it says which message, of which kind, for whom."""
    with capture_logs() as events:
        report.verdict(verdict, OF, TO)
    (found,) = events
    assert (found["event"], found["log_level"]) == (event, level)
    assert (found["message"], found["kind"], found["recipient"]) == (OF.id, "credential_reset_v1", "e***@example.com")


def test_a_sent_mail_has_the_relays_name_for_it() -> None:
    """The queue id is what the relay's operator searches for."""
    with capture_logs() as events:
        report.verdict(Accepted(OK), OF, TO)
    assert (events[0]["queue_id"], str(events[0]["reply"])) == ("4D2F", "250 2.0.0 Ok: queued as 4D2F")


def test_a_refusal_has_its_stage_and_reply() -> None:
    """What the relay said stands there as it does in the relay's own log."""
    with capture_logs() as events:
        report.verdict(Refused(Stage.RCPT, "refused by the relay", NO), OF, TO)
    assert (events[0]["stage"], str(events[0]["reply"])) == ("rcpt", "550 5.1.1 no such user")


def test_a_lane_that_is_down_is_not_said_per_mail() -> None:
    """Its condition says it once for all."""
    with capture_logs() as events:
        report.verdict(LaneDown(Stage.CONNECT, "x", "y", lasting=False), OF, TO)
    assert events == []


EVENTS: list[Callable[[Message, Delivery], None]] = [
    report.expired,
    lambda of, to: report.held(of, to, "no template"),
    lambda of, to: report.failed(of, to, "no mail could be made of it"),
    *(lambda of, to, verdict=verdict: report.verdict(verdict, of, to) for verdict, _, _ in VERDICTS),
]


@pytest.mark.parametrize("event", EVENTS)
def test_no_event_holds_an_intent_id_a_name_or_an_address(event: Callable[[Message, Delivery], None]) -> None:
    """Neither as a value nor inside one that is turned into text."""
    with capture_logs() as events:
        event(OF, TO)
    assert len(events) == 1
    for secret in (str(INTENT), "Confidential", ELLIE):
        assert secret not in repr(events)
        assert not any(secret in str(value) for value in events[0].values())


def test_an_odd_entry_is_named_with_its_problem() -> None:
    """So that an operator finds it in the queue."""
    with capture_logs() as events:
        report.odd([OddEntry("some-id", "cannot be read: id (uuid_parsing)")])
    assert (events[0]["event"], events[0]["message"]) == ("odd_entry", "some-id")
    assert "id (uuid_parsing)" in events[0]["say"]


def test_a_recipient_that_is_no_address_is_hidden_whole() -> None:
    """What has no @ may be anything, so nothing of it is shown."""
    of = message("https://secret.example")
    with capture_logs() as events:
        report.failed(of, Delivery(of.id, "https://secret.example", TO.state, NOW), "no address")
    assert events[0]["recipient"] == "***"
