"""Which alerts are due, on made-up time: each cause begins once and is over once, whatever happens in between."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from mail_sender.ledger.states import State
from mail_sender.observe import gauges
from mail_sender.observe.alerts import firing, rules
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.firing import Memory
from mail_sender.observe.alerts.tally import Tally
from mail_sender.observe.status import Expiry, LateLoop, Status
from mail_sender.sender.observation import Recorded
from tests.support.samples import DAY, HOUR, MINUTE, NOW, SECOND
from tests.unit.observe.alerts.glances import condition, polled, queue, sender, status

CONFIG = AlertConfig(repeat=timedelta(0))
Glance = Callable[[datetime], Status]


@dataclass
class Watching:
    """One receiver over time; `sent` are the keys and statuses of what it took, with the minutes after the start."""

    config: AlertConfig = CONFIG
    now: datetime = NOW
    memory: Memory = field(default_factory=Memory)
    tally: Tally = field(default_factory=Tally)
    sent: list[tuple[int, str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def go(
        self, until: timedelta, seen: Glance = status, step: timedelta = 10 * SECOND, *, takes: bool = True
    ) -> None:
        """Glance every few seconds until some time after the start."""
        while self.now <= NOW + until:
            found = seen(self.now)
            self.tally.settle(found.queue.states if found.queue is not None else {}, self.now)
            self.turn(rules.causes(found, self.tally.counts, self.config), takes=takes)
            self.now += step

    def turn(self, found: Iterable[rules.Cause], *, takes: bool = True, are_all: bool = True) -> None:
        """Glance once."""
        self.memory = firing.seen(self.memory, list(found), self.now, are_all=are_all)
        for alert in firing.due(self.memory, self.now, self.config).alerts if takes else ():
            self.memory = firing.delivered(self.memory, alert)
            self.sent.append((int((self.now - NOW) / MINUTE), alert.key, alert.status))
            self.texts.append(alert.summary)


def down(name: str, since: datetime = NOW) -> Glance:
    """Return a look at a sender with a condition."""
    return lambda now: status(now, conditions=[condition(name, since)])


CAUSES: dict[str, tuple[Glance, int, str]] = {
    "condition": (down("relay"), 5, "relay_down"),
    "condition_of_a_new_kind": (down("moon"), 5, "moon_down"),
    "oldest": (lambda now: status(now, queue=queue(NOW, queued=3)), 15, "oldest_waiting"),
    "token": (
        lambda now: status(now, expiries=[Expiry(name="token", expires_at=NOW + 14 * DAY + 3 * MINUTE)]),
        3,
        "token_expires",
    ),
    "loop": (
        lambda now: status(
            now, sender=sender(LateLoop(loop="poll", late_seconds=(now - NOW).total_seconds()))
        ),
        1,
        "loop_poll",
    ),
    "first_poll": (lambda now: status(now, sender=sender(started_at=NOW), server=polled(None, None)), 5, "polls_overdue"),
    "polls_fail": (lambda now: status(now, server=polled(now, NOW - DAY)), 5, "polls_overdue"),
    "poll_overdue": (lambda now: status(now, server=polled(NOW, NOW, NOW + 2 * MINUTE)), 7, "polls_overdue"),
}  # fmt: skip


def test_each_condition_that_may_be_alerted_has_words() -> None:
    """And what has none, because it is new, is named."""
    named = set(gauges.CONDITIONS) - {"alerts", "loop"}
    assert named <= rules.CONDITIONS.keys()
    found = [status(NOW, conditions=[condition(name, NOW)]) for name in ("configuration", "moon")]
    texts = [cause.summary for one in found for cause in rules.causes(one, {}, AlertConfig())]
    assert texts[0].startswith("the configuration has faults: ")
    assert texts[1].startswith("there is a fault of: moon: ")


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_begins_once_and_is_over_once(name: str) -> None:
    """When it has lasted for as long as it should, and when it was absent for a minute."""
    seen, begins, key = CAUSES[name]
    watching = Watching()
    watching.go(30 * MINUTE, seen)
    watching.go(60 * MINUTE)
    assert watching.sent == [(begins, key, "firing"), (31, key, "resolved")]
    assert watching.texts[1].startswith("over after ")


def test_what_ends_before_it_is_due_is_never_alerted() -> None:
    """And while a receiver is down, the same goes for what it did not take."""
    watching = Watching()
    watching.go(4 * MINUTE, down("relay"))
    watching.go(10 * MINUTE)
    watching.go(20 * MINUTE, down("relay", NOW + 10 * MINUTE), takes=False)
    watching.go(40 * MINUTE)
    assert (watching.sent, watching.memory.known) == ([], {})


def test_what_a_receiver_did_not_take_is_offered_until_it_does() -> None:
    """There is no queue that could overflow: what is still wrong is still due."""
    watching = Watching()
    watching.go(20 * MINUTE, down("relay"), takes=False)
    watching.go(25 * MINUTE, down("relay"))
    watching.go(30 * MINUTE, takes=False)
    watching.go(40 * MINUTE)
    assert watching.sent == [(20, "relay_down", "firing"), (30, "relay_down", "resolved")]


def test_what_comes_and_goes_is_one_alert() -> None:
    """A relay that takes a connection every few minutes is not over each time; since when is the first time."""
    watching = Watching()
    watching.go(6 * MINUTE, down("relay"))
    for minute in range(6, 60, 3):
        watching.go(minute * MINUTE + 30 * SECOND)
        watching.go((minute + 3) * MINUTE, down("relay", NOW + minute * MINUTE + 30 * SECOND))
    assert watching.sent == [(5, "relay_down", "firing")]
    assert watching.memory.known["relay_down"].since == NOW


def test_an_alert_is_repeated_as_long_as_told() -> None:
    """A day by default; 0 is never."""
    for repeat, times in ((timedelta(0), 1), (HOUR, 4), (AlertConfig().repeat, 1)):
        watching = Watching(replace(CONFIG, repeat=repeat))
        watching.go(4 * HOUR, down("relay"), step=MINUTE)
        assert len(watching.sent) == times


def test_a_restart_repeats_nothing_and_nothing_is_over_because_of_it() -> None:
    """The first attempts after it take a while; if it is over then, that is sent."""
    watching = Watching()
    watching.go(10 * MINUTE, down("relay"))
    watching.memory = firing.started(watching.memory, watching.now)
    watching.go(12 * MINUTE)  # no attempt has ended yet
    watching.go(20 * MINUTE, down("relay", NOW + 12 * MINUTE))
    assert watching.sent == [(5, "relay_down", "firing")]
    watching.memory = firing.started(watching.memory, watching.now)
    watching.go(40 * MINUTE)
    assert watching.sent[1:] == [(23, "relay_down", "resolved")]


def test_many_that_are_given_up_are_summed_up() -> None:
    """The first at once, all others of a quarter of an hour together; over when the operator has dealt with them."""
    watching = Watching()

    def seen(now: datetime) -> Status:
        if now < NOW + 20 * MINUTE:
            for state in (State.ABANDONED, State.SENT, State.FAILED):
                watching.tally.observe(Recorded(now, "any", state, None, 1.0))
        return status(now, queue=queue(abandoned=9))

    watching.go(50 * MINUTE, seen)
    watching.go(60 * MINUTE)
    assert watching.sent == [
        *((minute, "messages_abandoned", "firing") for minute in (0, 15, 30)),
        (51, "messages_abandoned", "resolved"),
    ]
    assert [text.partition(" (")[0] for text in watching.texts[:3]] == [
        f"the relay did not accept {number}" for number in ("1 delivery", "91 deliveries", "120 deliveries")
    ]


def test_a_status_that_is_a_little_older_than_the_last_message_loses_nothing() -> None:
    """The ledger is not read anew for each status: there it is not given up yet."""
    watching = Watching()
    watching.tally.observe(Recorded(NOW, "any", State.ABANDONED, None, 1.0))
    watching.go(10 * SECOND)
    watching.go(10 * MINUTE, lambda now: status(now, queue=queue(abandoned=1)))
    assert watching.sent == [(0, "messages_abandoned", "firing")]


def test_what_was_given_up_is_over_after_a_day() -> None:
    """Nobody dealt with it; a new one is an alert of its own, which counts from 1."""
    watching = Watching()
    seen: Glance = lambda now: status(now, queue=queue(unknown=5))  # noqa: E731 - one more look
    for day in (0, 2):
        watching.go(day * DAY, seen, MINUTE)
        watching.tally.observe(Recorded(watching.now, "any", State.UNKNOWN, None, 1.0))
        watching.go((day + 1.5) * DAY, seen, MINUTE)
    assert [status for _, _, status in watching.sent] == ["firing", "resolved"] * 2
    assert "whether 1 delivery arrived" in watching.texts[2]


def test_more_than_the_limit_waits_and_the_urgent_ones_go_first() -> None:
    """No receiver is flooded, and nothing is lost."""
    watching = Watching(replace(CONFIG, max_per_hour=2))
    names = ("clock", "relay", "moon", "server")
    watching.go(130 * MINUTE, lambda now: status(now, conditions=[condition(name, NOW) for name in names]))
    assert [(minute, key) for minute, key, _ in watching.sent] == [
        (5, "relay_down"), (5, "server_down"), (65, "clock_down"), (65, "moon_down"),
    ]  # fmt: skip


def test_one_reason_makes_one_alert() -> None:
    """Polls fail because the server is at fault: that is alerted once; alerts that fail make no alert."""
    watching = Watching()
    conditions = [condition("server", NOW), condition("alerts", NOW)]
    watching.go(30 * MINUTE, lambda now: status(now, conditions=conditions, server=polled(now, NOW - DAY)))
    assert watching.sent == [(5, "server_down", "firing")]


def test_where_nothing_can_be_seen_nothing_is_over() -> None:
    """The ledger does not answer: that is an alert by itself, and the relay may still be down."""
    watching = Watching()
    watching.go(10 * MINUTE, down("relay"))
    while watching.now <= NOW + 20 * MINUTE:
        watching.turn([rules.unreadable(CONFIG)], are_all=False)
        watching.now += 10 * SECOND
    watching.go(30 * MINUTE, down("relay"))
    assert watching.sent == [
        (5, "relay_down", "firing"), (15, "status_unreadable", "firing"), (21, "status_unreadable", "resolved"),
    ]  # fmt: skip


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    """What was alerted in the future is repeated, and over when it is."""
    watching = Watching(replace(CONFIG, repeat=HOUR))
    watching.go(6 * MINUTE, down("relay"))
    watching.now -= 30 * DAY
    watching.turn(rules.causes(down("relay")(watching.now), {}, watching.config))
    assert [status for _, _, status in watching.sent] == ["firing", "firing"]
    for _ in range(30):
        watching.turn([])
        watching.now += 10 * SECOND
    assert [status for _, _, status in watching.sent] == ["firing", "firing", "resolved"]
