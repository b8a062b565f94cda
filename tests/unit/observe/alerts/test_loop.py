"""The loop of alerts, on made-up time: it goes on whatever a receiver, the ledger or the disk does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from mail_sender.condition import Condition
from mail_sender.errors import LedgerFault
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.states import State
from mail_sender.names.secret import Secret
from mail_sender.observe.alerts.alert import Alert
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.loop import Alerting, Plan
from mail_sender.observe.alerts.memory import Kept
from mail_sender.observe.alerts.receiver import NotDelivered
from mail_sender.observe.alerts.tally import Tally
from mail_sender.observe.status import Status
from mail_sender.sender.observation import Recorded
from tests.support.fake_clock import FakeClock
from tests.support.samples import HOUR, MINUTE, NOW
from tests.support.virtual_time import VIRTUAL_TIME
from tests.unit.observe.alerts.glances import condition, queue, status

pytestmark = VIRTUAL_TIME

GONE = NotDelivered("nobody there", "start it")
REFUSED = NotDelivered("it answers 400", "mend it", is_answered=True)


@dataclass
class Recorder:
    """A receiver that keeps what it is sent; `does` is called with each alert, and may raise."""

    name: str = "url"
    place: str = "the webhook at here"
    does: Callable[[Alert], None] = lambda _: None
    hangs: float = 0.0
    tries: list[Alert] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def deliver(self, alert: Alert) -> str:
        self.tries.append(alert)
        await asyncio.sleep(self.hangs)
        self.does(alert)
        self.sent.append((alert.key, alert.status))
        return "200"


@dataclass
class Bench:
    """The loop with its parts; `conditions` are what the sender has now, by name.

    `reads` may raise, and a status takes as long as it `hangs`.
    """

    folder: Path | None = None
    config: AlertConfig = field(default_factory=lambda: AlertConfig(after=MINUTE, repeat=timedelta(0)))
    conditions: dict[str, str] = field(default_factory=dict)
    reads: Callable[[], None] = lambda: None
    hangs: float = 0.0
    own: Condition = field(default_factory=lambda: Condition("alerts"))

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.restart()

    def restart(self) -> None:
        """Begin a new process."""
        self.tally = Tally()
        state = StateFolder(self.folder) if self.folder else None
        self.alerting = Alerting(state, self.tally, self.clock, self.status)

    async def status(self) -> Status:
        self.reads()
        await asyncio.sleep(self.hangs)
        now = self.clock.now()
        found = [condition(name, NOW, detail) for name, detail in self.conditions.items()]
        return status(now, conditions=found, queue=queue(abandoned=1))

    async def run(
        self, *receivers: Recorder, span: timedelta = HOUR, secrets: frozenset[Secret] = frozenset()
    ) -> None:
        """Let the loop run for a while."""
        plan = Plan(self.config, receivers, Plan.of(self.config, "https://idm.example.com", secrets).clean)
        await self.alerting.follow(plan, self.own)
        await asyncio.sleep(span.total_seconds())
        now = self.clock.monotonic()
        await self.alerting.close()
        assert self.clock.monotonic() == now  # whatever hangs just then


def refuse(error: Exception, *keys: str) -> Callable[[Alert], None]:
    """Return what a receiver does that does not take alerts, or not those with these keys."""

    def does(alert: Alert) -> None:
        if not keys or alert.key in keys:
            raise error

    return does


async def test_a_receiver_that_is_gone_is_tried_less_and_less_and_gets_all_when_it_is_back() -> None:
    """One condition, logged once; the alert that it did not get is not lost."""
    bench, receiver = Bench(conditions={"relay": "refused"}), Recorder(does=refuse(GONE))
    with capture_logs() as events:
        await bench.run(receiver)
        assert bench.own.fault is not None
        assert (bench.own.fault.detail, len(receiver.tries) < 20) == (
            "alerts cannot be delivered: nobody there",
            True,
        )
        receiver.does = lambda _: None
        await bench.run(receiver, span=MINUTE)
    assert bench.own.fault is None
    assert receiver.sent == [("relay_down", "firing")]
    assert [event["event"] for event in events] == ["alerts_down", "alert_sent", "alerts_up"]


async def test_an_alert_that_is_refused_keeps_no_other_one_back() -> None:
    """A receiver that answers is there: only this alert may be at fault."""
    bench = Bench(conditions={"clock": "ahead", "relay": "refused"})
    receiver = Recorder(does=refuse(REFUSED, "relay_down"))
    with capture_logs():
        await bench.run(receiver)
    assert receiver.sent == [("clock_down", "firing")]


async def test_a_receiver_that_asks_for_a_pause_gets_it() -> None:
    """Retry-After goes before the own waits."""
    pause = NotDelivered("429", "wait", is_answered=True, retry_after=290)
    bench, receiver = Bench(conditions={"relay": "refused"}), Recorder(does=refuse(pause))
    with capture_logs():
        await bench.run(receiver, span=10 * MINUTE)
    assert len(receiver.tries) == 2


async def test_one_receiver_that_fails_is_nothing_to_the_other() -> None:
    """Each has a memory of its own: neither gets anything twice."""
    bench, gone, fine = Bench(conditions={"relay": "x"}), Recorder(does=refuse(GONE), hangs=10), Recorder("command")
    with capture_logs():
        await bench.run(gone, fine)
    assert (gone.sent, fine.sent) == ([], [("relay_down", "firing")])


async def test_a_ledger_that_cannot_be_read_is_alerted_and_ends_nothing() -> None:
    """Neither a fault nor a disk that hangs."""

    def broken() -> None:
        raise LedgerFault("SQLITE_IOERR", "broken", "mend it")

    for bench in (Bench(reads=broken), Bench(hangs=1e9)):
        receiver = Recorder()
        with capture_logs():
            await bench.run(receiver)
        assert receiver.sent == [("status_unreadable", "firing")]


async def test_a_fault_of_our_own_ends_neither_the_loop_nor_the_sender() -> None:
    """It is a condition; the text of the exception, which may hold anything, is not shown."""

    def crash() -> None:
        raise RuntimeError("secret")

    bench, receiver = Bench(reads=crash, conditions={"relay": "refused"}), Recorder()
    with capture_logs() as events:
        await bench.run(receiver)
        bench.reads = lambda: None
        await bench.run(receiver)
    assert [event["event"] for event in events] == ["alerts_down", "alert_sent", "alerts_up"] or [
        event["event"] for event in events
    ] == ["alerts_down", "alerts_up", "alert_sent"]
    assert "secret" not in str(events)


async def test_no_secret_and_no_whole_address_is_sent() -> None:
    """Whatever a condition's detail holds."""
    bench = Bench(conditions={"relay": f"ellie@example.com hunter2 https://x/ui/reset?token=abc-def {'y' * 900}"})
    receiver = Recorder()
    with capture_logs():
        await bench.run(receiver, secrets=frozenset({Secret("hunter2")}))
    (alert,) = receiver.tries
    assert not any(secret in str(alert) for secret in ("ellie@", "hunter2", "abc-def"))
    assert len(alert.summary) == 500


async def test_a_restart_and_a_changed_configuration_repeat_nothing(tmp_path: Path) -> None:
    """What was alerted stands in the state folder; what is over by then is sent, and the file is closed to others."""
    bench, receiver = Bench(tmp_path, conditions={"relay": "refused"}), Recorder()
    with capture_logs():
        await bench.run(receiver)
        await bench.run(receiver)
        bench.restart()
        bench.tally.observe(Recorded(bench.clock.now(), "any", State.ABANDONED, None, 1.0))
        await bench.run(receiver)
        assert receiver.sent == [("relay_down", "firing"), ("messages_abandoned", "firing")]
        bench.restart()
        bench.conditions.clear()
        await bench.run(receiver)
    assert receiver.sent[2:] == [("relay_down", "resolved")]
    assert not (tmp_path / "alerts.new").exists()
    assert (tmp_path / "alerts.json").stat().st_mode & 0o777 == 0o600


BAD_FILES = {
    "no json": b"{",
    "empty": b"",
    "another": b'{"receivers": {"url": {"known": {"relay_down": {}}}}}',
    "naive": b'{"counts": {"abandoned": {"number": 1, "first": "2026-11-21T12:00:00", "last": "2026-11-21T12:00:00"}}}',
}


@pytest.mark.parametrize("name", BAD_FILES)
async def test_a_file_that_cannot_be_read_costs_one_alert_too_many(tmp_path: Path, name: str) -> None:
    """A power cut, an editor, an older version."""
    (tmp_path / "alerts.json").write_bytes(BAD_FILES[name])
    bench, receiver = Bench(tmp_path, conditions={"relay": "refused"}), Recorder()
    with capture_logs() as events:
        await bench.run(receiver)
    assert receiver.sent == [("relay_down", "firing")]
    assert [event["event"] for event in events] == ["alert_sent"]
    assert b"relay_down" in (tmp_path / "alerts.json").read_bytes()


async def test_a_file_that_cannot_be_written_is_logged_once(tmp_path: Path) -> None:
    """And the alerts go on."""
    (tmp_path / "alerts.json").symlink_to("/etc/passwd")
    bench, receiver = Bench(tmp_path, conditions={"relay": "refused"}), Recorder()
    with capture_logs() as events:
        await bench.run(receiver)
    assert [event["event"] for event in events] == ["alert_sent", "alerts_unsaved"]
    assert "symbolic link" in events[1]["message"]


async def test_a_disk_that_hangs_holds_up_no_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread waits for it, and it is logged once; what is over meanwhile is sent."""
    waiting: list[Kept] = []
    never = asyncio.Event()

    async def hang(_: object, *given: object) -> Kept:
        if len(given) == 1:
            return Kept()
        waiting.append(cast("Kept", given[1]))
        await never.wait()
        return Kept()

    monkeypatch.setattr(asyncio, "to_thread", hang)
    bench, receiver = Bench(tmp_path, conditions={"relay": "refused"}), Recorder()
    with capture_logs() as events:
        await bench.run(receiver, span=10 * MINUTE)
        bench.conditions.clear()
        await bench.run(receiver, span=10 * MINUTE)
    never.set()
    assert receiver.sent == [("relay_down", "firing"), ("relay_down", "resolved")]
    assert len(waiting) == 1
    assert [event["event"] for event in events] == ["alert_sent", "alerts_unsaved", "alert_sent"]


async def test_the_limit_is_logged_once() -> None:
    """What is more comes later."""
    bench = Bench(
        config=AlertConfig(after=MINUTE, max_per_hour=1), conditions={"relay": "x", "server": "x", "clock": "x"}
    )
    receiver = Recorder()
    with capture_logs() as events:
        await bench.run(receiver, span=2 * HOUR + 5 * MINUTE)
    assert [key for key, _ in receiver.sent] == ["relay_down", "server_down", "clock_down"]
    assert [event["event"] for event in events].count("alerts_limited") == 1
