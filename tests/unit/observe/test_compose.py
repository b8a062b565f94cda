"""The status is a pure function of what was seen, and health of what is known at one time."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from mail_sender.condition import Fault
from mail_sender.ledger.replicas import Replica, Said
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import HOURS, Failing, Summary
from mail_sender.observe import compose
from mail_sender.observe.activity import Activity
from mail_sender.observe.alerts import rules
from mail_sender.observe.alerts.alert import Severity
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.as_json import ready_for_json
from mail_sender.observe.compose import Seen, SeenSender
from mail_sender.observe.facts import Facts, Process, RelayFacts
from mail_sender.observe.headline import headline
from mail_sender.observe.health import Health
from mail_sender.observe.metrics import Metrics
from mail_sender.observe.status import HeldBack, LedgerStatus, Status
from mail_sender.observe.systemd import status_line
from mail_sender.sender import holding
from mail_sender.sender.heartbeat import Late
from mail_sender.sender.limits import Limit
from mail_sender.sender.relay_view import RelayView
from tests.support.samples import DAY, HOUR, MINUTE, NOW, SECOND

CLOSED = RelayView("closed", None, None, 4, 0.0, 1, carries=True)
OPEN = RelayView("open", 90.0, 30.0, 2, 1.5, 0)
WELL = Health([], poll_was_good=True, relays=[CLOSED])
RELAYS = RelayFacts("relay.example.com:465", "TLS", login=True), RelayFacts("b.example.net:465", "TLS", login=True)
FACTS = Facts("https://idm.example.com", RELAYS, lambda: {"token": NOW + DAY})
SUMMARY = Summary(
    at=NOW,
    states={state: number for number, state in enumerate(State)} | {State.HELD: 0},
    kinds={"test_message_v1": {State.SENT: 3}},
    unmarked=2,
    oldest_waiting_at=NOW - HOUR,
    held_since=None,
    last_accepted_at=NOW - MINUTE,
    hours=({"deferred": 4},) + ({},) * (HOURS - 2) + ({"accepted": 3, "deferred": 1},),
    failing=(Failing("slow.example", 1, 2),),
)
SENDER = SeenSender(
    Process("1.0", 7, "host"), Activity(NOW - DAY, next_poll_at=NOW + SECOND, ready=5), WELL, (), FACTS
)
SEEN = Seen(LedgerStatus(kind="memory", place=None, size_bytes=None, free_bytes=None), SUMMARY, SENDER)
DOWN = Fault("relay", "network", NOW - MINUTE, "connection refused", "start it")


def of(sender: SeenSender = SENDER, summary: Summary | None = SUMMARY) -> Status:
    """Return the status of a sender."""
    return compose.status(replace(SEEN, sender=sender, summary=summary), NOW)


def test_all_that_was_seen_stands_in_the_status() -> None:
    """Each value in its place, and nothing is wrong."""
    found = of()
    assert (found.answered_by, found.healthy, found.conditions, found.at) == ("sender", True, [], NOW)
    assert found.sender is not None
    assert (found.sender.pid, found.sender.started_at, found.sender.ready) == (7, NOW - DAY, True)
    assert found.server is not None
    assert (found.server.uri, found.server.next_poll_at, found.server.ready) == (FACTS.server, NOW + SECOND, 5)
    assert found.relay is not None
    assert (found.relay.breaker, found.relay.breaker_since, found.relay.in_flight) == ("closed", None, 1)
    assert found.queue is not None
    assert found.queue.states == {state.value: SUMMARY.states[state] for state in State}
    assert found.queue.kinds == {"test_message_v1": {"sent": 3}}
    assert (found.queue.unmarked, found.queue.oldest_waiting_at) == (2, NOW - HOUR)
    assert found.attempts is not None
    assert found.attempts.last_hour == {"accepted": 3, "deferred": 1}
    assert found.attempts.last_day == {"accepted": 3, "deferred": 5}
    assert found.attempts.by_hour == [dict(hour) for hour in SUMMARY.hours]
    assert [(one.domain, one.failed, one.deferred) for one in found.failing_domains] == [("slow.example", 1, 2)]
    assert [(one.name, one.expires_at) for one in found.expiries] == [("token", NOW + DAY)]
    assert TypeAdapter(Status).validate_json(json.dumps(ready_for_json(found))) == found


def test_an_open_breaker_is_told_with_its_times() -> None:
    """Since when, and when the next mail may go as a probe; the condition says the same."""
    found = of(replace(SENDER, health=replace(WELL, relays=[OPEN]), faults=(DOWN,)))
    assert found.relay is not None
    assert (found.relay.breaker_since, found.relay.probe_in_seconds) == (NOW - 90 * SECOND, 30.0)
    assert [(one.name, one.blocks, one.next_try_in_seconds) for one in found.conditions] == [("relay", True, 30.0)]


def test_what_is_not_known_is_left_out() -> None:
    """Before the first configuration is in use, where the ledger cannot be read, and where no sender answers."""
    begins = of(replace(SENDER, facts=None, health=Health([], None, [])), None)
    assert (begins.server, begins.relay, begins.queue, begins.attempts) == (None, None, None, None)
    alone = compose.status(replace(SEEN, sender=None), NOW)
    assert (alone.answered_by, alone.healthy, alone.sender, alone.server) == ("ledger", False, None, None)
    assert alone.queue == of().queue


UNWELL: dict[str, tuple[SeenSender, str, str, bool, bool]] = {
    "a loop hangs": (
        replace(SENDER, health=replace(WELL, late=[Late("poll", 40.4)])),
        "loop poll",
        "not alive: the poll loop hangs for 40 s",
        False,
        False,
    ),
    "no poll yet": (
        replace(SENDER, health=replace(WELL, poll_was_good=None)),
        "server starting",
        "alive, not ready: the first poll has not ended",
        True,
        False,
    ),
    "server down": (
        replace(SENDER, health=replace(WELL, poll_was_good=False), faults=(replace(DOWN, name="server"),)),
        "server network",
        "alive, not ready: the last poll failed",
        True,
        False,
    ),
    "server down from the start": (
        replace(SENDER, health=replace(WELL, poll_was_good=None), faults=(replace(DOWN, name="server"),)),
        "server network",
        "alive, not ready: the first poll has not ended",
        True,
        False,
    ),
    "relay down": (
        replace(SENDER, health=replace(WELL, relays=[OPEN]), faults=(DOWN,)),
        "relay network",
        "alive, not ready: the relay's breaker is not closed",
        True,
        False,
    ),
    "a probe is due": (
        replace(SENDER, health=replace(WELL, relays=[replace(OPEN, breaker="half-open")])),
        "relay probe",
        "alive, not ready: the relay's breaker is not closed",
        True,
        False,
    ),
    "ledger": (
        replace(SENDER, faults=(replace(DOWN, name="ledger"),)),
        "ledger network",
        "alive and ready",
        True,
        True,
    ),
}


@pytest.mark.parametrize("case", UNWELL)
def test_what_stands_in_the_way_of_mail_is_one_condition(case: str) -> None:
    """And alive and ready say what a supervisor needs."""
    sender, condition, line, alive, ready = UNWELL[case]
    found = of(sender)
    assert [f"{one.name} {one.kind}" for one in found.conditions if one.blocks] == [condition]
    assert not found.healthy
    assert found.sender is not None
    assert (found.sender.alive, found.sender.ready, str(sender.health)) == (alive, ready, line)


def test_held_deliveries_stand_in_the_way_and_a_wrong_clock_does_not() -> None:
    """The server's time is used while the clock is wrong; no mail can be made of what is held.

    That alerts cannot be delivered is shown, and stands in the way of nothing.
    """
    for name in ("clock", "alerts"):
        found = of(replace(SENDER, faults=(replace(DOWN, name=name),)))
        assert found.healthy
        assert [(one.name, one.blocks) for one in found.conditions] == [(name, False)]
    held = of(summary=replace(SUMMARY, states={**SUMMARY.states, State.HELD: 3}, held_since=NOW - HOUR))
    assert not held.healthy
    assert [(one.name, one.since) for one in held.conditions] == [("template", NOW - HOUR)]


def test_times_are_written_as_rfc_3339_has_them() -> None:
    """In UTC, with a Z."""
    found = ready_for_json(of(replace(SENDER, activity=Activity(NOW - timedelta(hours=1)))))
    assert found["sender"]["started_at"] == "2026-11-21T11:00:00Z"


def test_what_limits_hold_back_stands_beside_the_conditions() -> None:
    """It is no fault: the operator wants it so."""
    held = holding.HeldBack(Limit.PER_MINUTE, "60 mails a minute", NOW - MINUTE, 240, NOW + MINUTE)
    status = of(sender=replace(SENDER, held_back=[held]))
    assert status.held_back == [HeldBack(reason="60 mails a minute", deliveries=240, until=NOW + MINUTE)]
    assert status.healthy


STANDS_IN = replace(SENDER, health=replace(WELL, relays=[OPEN, CLOSED]), faults=(DOWN,))
BOTH_DOWN = replace(SENDER, health=replace(WELL, relays=[OPEN, OPEN]), faults=(DOWN, replace(DOWN, name="fallback")))


def test_while_a_fallback_carries_mail_the_relays_fault_is_shown_and_blocks_nothing() -> None:
    """Mail flows: the sender is ready and healthy, and the headline says which way mail takes."""
    found = of(STANDS_IN)
    assert (found.healthy, found.stand_in) == (True, "b.example.net:465")
    assert found.sender is not None
    assert found.sender.ready
    assert [(one.name, one.blocks) for one in found.conditions] == [("relay", False)]
    assert headline(found) == "mail flows through the fallback b.example.net:465: the relay cannot be used"
    assert status_line(found).startswith("mail goes through the fallback b.example.net:465; fault: relay (network)")
    probing = of(replace(STANDS_IN, faults=()))
    assert [(one.kind, one.blocks) for one in probing.conditions] == [("probe", False)]
    (cause,) = rules.causes(found, {}, AlertConfig())[:1]
    assert (cause.key, cause.severity) == ("relay_down", Severity.WARNING)


def test_with_all_relays_down_mail_waits() -> None:
    """The first relay's fault blocks; a fallback's alone never does."""
    found = of(BOTH_DOWN)
    assert (found.healthy, found.stand_in) == (False, None)
    assert [(one.name, one.blocks) for one in found.conditions] == [("relay", True), ("fallback", False)]
    assert headline(found) == "mail waits: the relay cannot be used"
    assert str(BOTH_DOWN.health).startswith("alive, not ready: the breaker of each relay in turn")
    spare = of(
        replace(BOTH_DOWN, health=replace(WELL, relays=[CLOSED, OPEN]), faults=(replace(DOWN, name="fallback"),))
    )
    assert (spare.healthy, headline(spare)) == (True, "mail flows")
    severities = {cause.key: cause.severity for cause in rules.causes(found, {}, AlertConfig())}
    assert (severities["relay_down"], severities["fallback_down"]) == (Severity.CRITICAL, Severity.WARNING)


def test_the_metrics_say_which_relay_carries_mail() -> None:
    """By its place in the order: a host name is no label."""
    text = Metrics().exposition(of(STANDS_IN)).decode()
    for line in (
        'mail_sender_relay_carries{relay="first"} 0.0',
        'mail_sender_relay_carries{relay="fallback_1"} 1.0',
        'mail_sender_relay_breaker_state{relay="first",state="open"} 1.0',
        'mail_sender_relay_breaker_state{relay="fallback_1",state="closed"} 1.0',
        'mail_sender_breaker_state{state="open"} 1.0',
        "mail_sender_in_flight 1.0",
        "mail_sender_ready 1.0",
    ):
        assert line in text


def replica(number: int, version: str = "1.0", digest: str = "same", **rest: bool) -> Replica:
    """Return a sender that shares the ledger; the later ones have run for a shorter time."""
    said = Said(digest, rest.get("carries", True))
    since = NOW - (10 - number) * HOUR
    return Replica(UUID(int=number), f"idm-{number}", 7, version, since, NOW, said, polls=number == 1)


def test_senders_that_differ_are_told_apart_and_stop_no_mail() -> None:
    """Since when they differ; an update, or one with another configuration, is seen at a glance."""
    alike = [replica(number) for number in (1, 2, 3)]
    status = compose.status(replace(SEEN, replicas=alike, ours=UUID(int=2)), NOW)
    assert (status.healthy, status.conditions) == (True, [])
    assert [one.answers for one in status.replicas] == [False, True, False]
    five = [*alike, replica(4, "1.1"), replica(5, "1.1", "other"), replica(6, digest="")]
    status = compose.status(replace(SEEN, replicas=five), NOW)
    assert status.healthy
    assert [(one.name, one.kind, one.since, one.detail) for one in status.conditions] == [
        (
            "replicas",
            "versions",
            NOW - 6 * HOUR,
            "the senders are of different versions: 1.0 on idm-1, idm-2, idm-3 and 1 more; 1.1 on idm-4, idm-5",
        ),
        (
            "replicas",
            "configurations",
            NOW - 5 * HOUR,
            "the senders are configured differently: idm-1, idm-2, idm-3 and 1 more from idm-5",
        ),
    ]


def test_without_a_sender_here_those_elsewhere_are_what_counts() -> None:
    """One that polls and one that can mail are enough; held deliveries stand in the way as anywhere."""
    for carry, is_well in (((True, False), True), ((False, False), False), ((), False)):
        ones = [replica(number, carries=one) for number, one in enumerate(carry, 1)]
        status = compose.status(replace(SEEN, sender=None, replicas=ones), NOW)
        assert (status.healthy, status.answered_by) == (is_well, "ledger")
    status = compose.status(replace(SEEN, sender=None, replicas=[replica(2), replica(3)]), NOW)
    assert headline(status).startswith("mail waits: no sender polls the identity server now")
    held = replace(SUMMARY, states=dict.fromkeys(State, 1))
    assert not compose.status(replace(SEEN, sender=None, summary=held, replicas=[replica(1)]), NOW).healthy


def test_the_metrics_count_the_senders_and_name_none() -> None:
    """Where the ledger is not shared, there is no series."""
    status = compose.status(replace(SEEN, replicas=[replica(1), replica(2)], ours=UUID(int=1)), NOW)
    text = Metrics().exposition(status).decode()
    assert "\nmail_sender_replicas 2.0\n" in text
    assert "\nmail_sender_polling 1.0\n" in text
    assert "idm-1" not in text
    assert not [
        line
        for line in Metrics().exposition(of()).decode().splitlines()
        if line.startswith(("mail_sender_replicas", "mail_sender_polling"))
    ]
