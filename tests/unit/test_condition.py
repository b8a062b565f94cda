"""A condition is logged when it begins, changes and ends, and never in between."""

from datetime import timedelta

from structlog.testing import capture_logs

from mail_sender.condition import Condition, Conditions, Fault
from tests.support.samples import NOW


def test_a_fault_is_logged_once_however_often_it_is_met() -> None:
    """A hundred polls against a dead server make one line."""
    condition = Condition("server")
    with capture_logs() as events:
        for second in range(100):
            condition.down("unreachable", "no answer", "start it", NOW + timedelta(seconds=second))
    assert events == [
        {"event": "server_down", "log_level": "error", "kind": "unreachable", "message": "no answer; start it"}
    ]
    assert condition.fault


def test_another_fault_is_logged_as_a_change() -> None:
    """Another kind, or another detail of the same kind, is news."""
    condition = Condition("relay")
    with capture_logs() as events:
        for kind, detail in (("connect", "refused"), ("auth", "535"), ("auth", "535"), ("auth", "454")):
            condition.down(kind, detail, "x", NOW)
    assert [(event["event"], event["kind"], event["message"]) for event in events] == [
        ("relay_down", "connect", "refused; x"),
        ("relay_down", "auth", "535; x"),
        ("relay_down", "auth", "454; x"),
    ]


def test_the_end_is_logged_with_how_long_it_lasted() -> None:
    """Once, counted from when the first fault began, whatever it changed into; a second outage from its own beginning."""
    condition = Condition("relay")
    with capture_logs() as events:
        condition.up(NOW)
        condition.down("connect", "refused", "x", NOW)
        condition.down("auth", "535", "x", NOW + timedelta(seconds=60))
        condition.up(NOW + timedelta(seconds=90))
        condition.up(NOW + timedelta(seconds=91))
        condition.down("connect", "refused", "x", NOW + timedelta(seconds=100))
        condition.up(NOW + timedelta(seconds=130))
    assert [event["event"] for event in events] == ["relay_down", "relay_down", "relay_up", "relay_down", "relay_up"]
    assert events[2] == {"event": "relay_up", "log_level": "info", "down_seconds": 90}
    assert events[4]["down_seconds"] == 30
    assert condition.fault is None


def test_a_condition_that_comes_and_goes_is_over_when_it_was_quiet_for_a_while() -> None:
    """A disk that takes each read and no write: one line while it lasts, and one when it has shown no more for long."""
    condition = Condition("ledger", quiet=timedelta(seconds=12))
    with capture_logs() as events:
        for second in range(0, 100, 5):
            condition.down("SQLITE_FULL", "full", "x", NOW + timedelta(seconds=second))
            condition.up(NOW + timedelta(seconds=second + 1))
        condition.up(NOW + timedelta(seconds=95 + 11))
        assert condition.fault
        condition.up(NOW + timedelta(seconds=95 + 12))
        condition.up(NOW + timedelta(seconds=95 + 13))
    assert [event["event"] for event in events] == ["ledger_down", "ledger_up"]
    assert events[1]["down_seconds"] == 107
    assert condition.fault is None


def test_after_a_change_what_is_still_wrong_is_logged_anew_and_so_is_its_end() -> None:
    """Whoever pairs begin and end in the log sees the end; how long it lasted counts from the first begin."""
    old = Condition("relay")
    old.down("auth", "535", "x", NOW)
    with capture_logs() as events:
        new = old.succeeded()
        assert new.fault
        new.down("auth", "535", "x", NOW + timedelta(seconds=30))
        new.down("auth", "535", "x", NOW + timedelta(seconds=60))
        new.up(NOW + timedelta(seconds=90))
    assert [event["event"] for event in events] == ["relay_down", "relay_up"]
    assert events[-1]["down_seconds"] == 90


def test_what_the_old_one_meets_is_of_the_past() -> None:
    """A mail that was in flight before the change says nothing of the relay that counts now."""
    old = Condition("relay")
    new = old.succeeded()
    with capture_logs() as events:
        old.down("connect", "refused", "x", NOW)
        old.up(NOW)
    assert (events, new.fault) == ([], None)


def test_faults_are_those_that_are_there() -> None:
    """With since when, what, and its cure."""
    conditions = Conditions()
    assert conditions.faults == []
    conditions.relay.down("connect", "refused", "start it", NOW)
    assert conditions.succeeded().faults == [Fault("relay", "connect", NOW, "refused", "start it")]
