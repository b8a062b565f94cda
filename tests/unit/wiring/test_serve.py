"""From one configuration to the next: what is retired ends beside what replaces it, and is not forgotten."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from errno import ENOENT
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mail_sender.config.config import Config
from mail_sender.errors import Exit
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.lifecycle import Signals
from mail_sender.names.secret import Secret
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.relay_url import Security
from mail_sender.sender.config import SenderConfig
from mail_sender.sender.parts import Parts
from mail_sender.sender.reported import Reported
from mail_sender.sender.schedule import Schedule
from mail_sender.source.config import SourceConfig
from mail_sender.source.dry_run import DryRunSource
from mail_sender.tls.pem import BadPem
from mail_sender.wiring import ends, generation, serve
from mail_sender.wiring.ends import UnusableFile
from tests.support.fake_clock import FakeClock
from tests.support.samples import MAIL, NOW
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME

MAIL_SECONDS = 30.0
"""How long a mail takes that is in flight when its worker is told to stop."""

RELAY = RelayConfig("relay", 465, Security.IMPLICIT, "client.example")


class Crash(Exception):
    """A fault that nobody has foreseen."""


class Workers:
    """Stands in for `Worker`: each one works until it is told to stop, and ends its last mail then.

    `ends` says how each one ends, in their order; `begun` is set when it begins, `stopped` are those that have ended,
    `cancelled` those that were cut off.
    """

    def __init__(self, *ends: BaseException | None) -> None:
        self.begun = [asyncio.Event() for _ in ends]
        self.stopped: list[int] = []
        self.cancelled: list[int] = []
        self.reported: list[Reported] = []
        self._ends = ends

    def __call__(self, parts: Parts, *_: object) -> "Workers":
        self.conditions = parts.conditions
        self.reported.append(parts.reported)
        return self

    def retire(self) -> None:
        """Nothing is logged here in any case."""

    async def let_another_poll(self) -> None:
        """There is none."""

    async def run(self, stop: asyncio.Event) -> None:
        number = sum(begun.is_set() for begun in self.begun)
        self.begun[number].set()
        try:
            await stop.wait()
            await asyncio.sleep(MAIL_SECONDS)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        self.stopped.append(number)
        if (error := self._ends[number]) is not None:
            raise error


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., "asyncio.Task[Exit]"]:
    """Give a function that starts the sender with these workers, on a configuration with one file."""
    file = tmp_path / "config"
    file.touch()
    config = Config(
        SourceConfig("https://localhost:1", Secret("token")),
        FolderConfig(tmp_path),
        MAIL,
        SenderConfig(Schedule("@hourly")),
        files=(file,),
    )

    def run(workers: Workers, stop: asyncio.Event, **changed: Any) -> "asyncio.Task[Exit]":
        monkeypatch.setattr(serve, "SteadyClock", FakeClock)
        monkeypatch.setattr(generation, "Worker", workers)
        return asyncio.ensure_future(serve.run(replace(config, **changed), lambda: replace(config), Signals(stop)))

    return run


async def change(path: Path, workers: Workers) -> None:
    """Change the configuration while the first worker works, and wait until the second one does."""
    await workers.begun[0].wait()
    (path / "config").write_text("changed")
    await workers.begun[1].wait()


async def test_a_retired_worker_that_crashes_ends_the_sender_with_its_error(
    start: Callable[..., "asyncio.Task[Exit]"], tmp_path: Path
) -> None:
    """When it happens: the sender does not go on, with a fault that nobody hears of, until it is stopped."""
    workers = Workers(Crash(), None)
    with capture_logs():
        running = start(workers, asyncio.Event())
        await change(tmp_path, workers)
        with pytest.RaisesGroup(Crash):
            async with asyncio.timeout(2 * MAIL_SECONDS):
                await running
    assert (workers.stopped, workers.cancelled) == ([0], [1])


async def test_a_stop_waits_for_the_retired_worker_too(
    start: Callable[..., "asyncio.Task[Exit]"], tmp_path: Path
) -> None:
    """Its last mail ends as the current one's does."""
    workers, stop = Workers(None, None), asyncio.Event()
    with capture_logs() as events:
        running = start(workers, stop)
        await change(tmp_path, workers)
        stop.set()
        await running
    assert (workers.stopped, workers.cancelled) == ([0, 1], [])
    assert events[-1]["event"] == "stopped"


async def test_a_fault_of_the_last_mail_is_logged_too(start: Callable[..., "asyncio.Task[Exit]"]) -> None:
    """The stop has come, and a mail in flight meets a relay that is down: whoever looks for it finds it in the log."""
    workers, stop = Workers(None), asyncio.Event()
    with capture_logs() as events:
        running = start(workers, stop)
        await workers.begun[0].wait()
        stop.set()
        await asyncio.sleep(MAIL_SECONDS / 2)
        workers.conditions.relay.down("rcpt", "cut", "read its log", NOW)
        await running
    assert "relay_down" in [event["event"] for event in events]


async def test_a_changed_configuration_is_no_start_and_what_was_reported_stays_reported(
    start: Callable[..., "asyncio.Task[Exit]"], tmp_path: Path
) -> None:
    """Who counts starts in the log counts starts."""
    workers, stop = Workers(None, None), asyncio.Event()
    with capture_logs() as events:
        running = start(workers, stop)
        await change(tmp_path, workers)
        stop.set()
        await running
    names = [event["event"] for event in events]
    assert [name for name in names if name in {"started", "config_reloaded", "reloaded"}] == [
        "started", "config_reloaded", "reloaded"
    ]  # fmt: skip
    assert workers.reported[0] is workers.reported[1]


async def test_a_certificate_that_goes_away_while_it_is_reloaded_ends_nothing(
    start: Callable[..., "asyncio.Task[Exit]"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the configuration was checked, and is back a little later: mail in flight is not cut off."""
    faults = [None, FileNotFoundError(ENOENT, "No such file", "ca.pem"), BadPem("holds no certificate"), None]
    made = [asyncio.Event() for _ in faults]

    def source(config: SourceConfig) -> DryRunSource:
        number = sum(event.is_set() for event in made)
        made[number].set()
        if (error := faults[number]) is not None:
            raise error
        return DryRunSource(config)

    monkeypatch.setattr(ends, "DryRunSource", source)
    workers, stop = Workers(None, None), asyncio.Event()
    with capture_logs() as events:
        running = start(workers, stop)
        await workers.begun[0].wait()
        for number in (1, 2, 3):
            (tmp_path / "config").write_text("changed" * number)
            await made[number].wait()
        await workers.begun[1].wait()
        stop.set()
        await running
    assert (workers.stopped, workers.cancelled) == ([0, 1], [])
    said = [event["message"] for event in events if event["event"] == "config_rejected"]
    assert ["ca.pem: no such file" in said[0], "holds no certificate" in said[1], len(said)] == [True, True, 2]


async def test_a_certificate_that_has_gone_before_the_first_mail_is_a_fault_of_the_configuration(
    start: Callable[..., "asyncio.Task[Exit]"], tmp_path: Path
) -> None:
    """A sender may have stood by for weeks."""
    missing = SourceConfig("https://localhost:1", Secret("token"), ca_path=tmp_path / "ca.pem")
    with capture_logs(), pytest.raises(UnusableFile, match=r"ca\.pem: no such file") as error:
        await start(Workers(), asyncio.Event(), source=missing, relay=RELAY, ledger=LedgerConfig(None, "memory"))
    assert error.value.exit_code == Exit.BAD_CONFIG


async def test_a_sender_that_only_stood_by_says_that_it_has_stopped(
    start: Callable[..., "asyncio.Task[Exit]"], tmp_path: Path
) -> None:
    """As every other one does."""
    state = StateFolder(tmp_path / "state")
    state.make()
    lock, stop = Lock(state), asyncio.Event()
    assert lock.take()
    with capture_logs() as events:
        running = start(Workers(), stop, ledger=LedgerConfig(state.path), relay=RELAY)
        await asyncio.sleep(10)
        stop.set()
        await running
    lock.release()
    assert [event["event"] for event in events] == ["standing_by", "stopped"]
