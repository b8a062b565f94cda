"""The wiring: from the configuration to concrete parts. The only reader of the whole `Config`.

The ledger, its lock and the control socket live as long as the process; source, transport and worker as long as one
configuration: they are a generation. When a file of the configuration changes, the next generation begins at once, so
that a corrected password is tried immediately; attempts in flight end beside it. A configuration with faults is
reported and ignored: the previous one stays in use.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import structlog

from mail_sender import __version__
from mail_sender.clock import Clock, SteadyClock
from mail_sender.condition import Conditions
from mail_sender.config.config import Config
from mail_sender.config.watch import Watch
from mail_sender.control.handler import Handler
from mail_sender.control.server import Control
from mail_sender.ends import Ends
from mail_sender.errors import Exit
from mail_sender.ledger import state_folder
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.dry_run import DryRunLedger
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.lifecycle import Signals
from mail_sender.observe import disk, domain_watch, in_use
from mail_sender.observe.alerts.loop import Alerting, Plan
from mail_sender.observe.alerts.tally import Tally
from mail_sender.observe.domain_watch import DomainWatch
from mail_sender.observe.listener import Listener
from mail_sender.observe.observers import Observers
from mail_sender.observe.reporter import Reporter
from mail_sender.observe.service import Service
from mail_sender.observe.systemd import Systemd
from mail_sender.observe.watched import Watched
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.sender.in_flight import InFlight
from mail_sender.sender.parts import Parts
from mail_sender.sender.recent_mails import RecentMails
from mail_sender.sender.reported import Reported
from mail_sender.sender.test_mail import TestMail
from mail_sender.sender.worker import Worker

_log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds for attempts in flight to end, before the next generation begins beside them."""

_DRY = (
    "a dry run: each mail is written into the folder; nothing is sent; nothing is marked on the server; "
    "the ledger is kept in memory"
)

Load = Callable[[], Config]


async def run(config: Config, load: Load, signals: Signals) -> Exit:
    """Send until the stop event is set, or the schedule is over; `load` reads the configuration anew.

    Raises `MailSenderError` if the state folder or its ledger cannot be used.
    """
    clock = SteadyClock()
    service = Service(Systemd(), clock)
    telling = asyncio.ensure_future(service.run(signals.stop, config.sender.stop_grace_seconds))
    try:
        await _serve(config, load, signals, service, clock)
    finally:
        telling.cancel()
        await asyncio.wait({telling})
    _log.info("stopped")
    return Exit.DONE


async def _serve(config: Config, load: Load, signals: Signals, service: Service, clock: Clock) -> None:
    watch = Watch(config, load, signals.reload, service.reloading)
    service.is_rejected = lambda: watch.is_rejected
    state = state_of(config)
    async with AsyncExitStack() as opened:
        listener = Listener(clock)
        opened.callback(listener.close)
        await listener.follow(config.observe)
        if state is not None:
            lock = Lock(state)
            opened.callback(lock.release)
            service.standing_by = None if lock.take() else lock.holder()
            latest = await _take_over(lock, config, watch, signals.stop, clock, listener)
            service.standing_by = None
            if latest is None:
                return
            config = latest
        lasting = await opened.enter_async_context(Lasting.open(config, state, listener, clock))
        service.reporter = lasting.reporter
        watch.on_rejected = lasting.reporter.advisories.reject
        await _generations(config, watch, lasting, signals.stop)


def state_of(config: Config) -> StateFolder | None:
    """Return the state folder, or None where the ledger is kept in memory. Raises `MailSenderError`."""
    return None if isinstance(config.relay, FolderConfig) else state_folder.ready(config.ledger)


async def _take_over(
    lock: Lock, config: Config, watch: Watch, stop: asyncio.Event, clock: Clock, listener: Listener
) -> Config | None:
    """Take the lock; standing by may last for weeks. Return the configuration as it is by then; None at a stop."""
    if lock.take():
        return config

    async def follow() -> None:
        nonlocal config
        while True:
            config = await watch.next_config(clock)
            await listener.follow(config.observe)

    following = asyncio.ensure_future(follow())
    try:
        is_ours = await lock.stand_by(stop, clock)
    finally:
        following.cancel()
        await asyncio.wait({following})
    return watch.latest(config) if is_ours else None


@dataclass(slots=True)
class Lasting:
    """What outlives a change of the configuration."""

    ledger: Ledger
    control: Control | None
    listener: Listener
    alerting: Alerting
    clock: Clock
    observers: Observers
    reporter: Reporter
    domain_watch: DomainWatch
    in_flight: InFlight = field(default_factory=InFlight)
    conditions: Conditions = field(default_factory=Conditions)
    reported: Reported = field(default_factory=Reported)
    recent_mails: RecentMails = field(default_factory=RecentMails)

    async def follow(self, config: Config) -> None:
        """Show what this configuration is warned of, and look at the DNS of its domains."""
        self.reporter.advisories.use(config.warnings)
        await self.domain_watch.follow(domain_watch.command(config.files, config.mail, config.relay, config.doctor))

    @classmethod
    @asynccontextmanager
    async def open(
        cls, config: Config, state: StateFolder | None, listener: Listener, clock: Clock
    ) -> AsyncIterator[Self]:
        """Open it; whoever does has the lock. Raises `MailSenderError` if the ledger cannot be used."""
        async with AsyncExitStack() as opened:
            is_dry = isinstance(config.relay, FolderConfig)
            ledger = await (DryRunLedger.open(None) if is_dry else state_folder.open_ledger(state))
            opened.push_async_callback(ledger.close)
            opened.callback(listener.close)  # before the ledger, which it reads
            tally = Tally()
            observers = Observers(clock.now(), listener.observe, tally.observe)
            reporter = Reporter(ledger, observers, clock, partial(disk.ledger_status, state))
            listener.watched = Watched(reporter.late, reporter.status, reporter.last)
            alerting = Alerting(state, tally, clock, reporter.status)
            opened.push_async_callback(alerting.close)
            control = Control(state, Handler(ledger, None, clock, None, reporter)) if state else None
            if control is not None:
                await control.start()
                opened.push_async_callback(control.close)
            watching = DomainWatch(reporter.advisories, clock)
            opened.push_async_callback(watching.close)
            yield cls(ledger, control, listener, alerting, clock, observers, reporter, watching)


async def _generations(first: Config, watch: Watch, lasting: Lasting, stop: asyncio.Event) -> None:
    """Work under one configuration after the other; a worker that crashes, a retired one too, ends them all.

    Raises `UnusableFile` before the first one begins, and an `ExceptionGroup` with what the worker raised.
    """
    ends: Ends | None = Ends.of(first, lasting.observers.observe)
    started(first)
    async with asyncio.TaskGroup() as workers:
        while ends is not None:
            generation = Generation(ends, lasting)
            await lasting.follow(ends.config)
            await lasting.listener.follow(ends.config.observe)
            await lasting.alerting.follow(_alerts(ends.config), lasting.conditions.alerts)
            ends = await generation.run(workers, watch, stop)
            if ends is not None:
                _reloaded(ends.config)
                lasting.conditions = lasting.conditions.succeeded()


class Generation:
    """What lives as long as one configuration: its source, its transport and its worker.

    Retired, the worker begins nothing new; its attempts in flight end beside the next generation.
    """

    def __init__(self, ends: Ends, lasting: Lasting) -> None:
        self._clock = lasting.clock
        self._observe = lasting.observers.observe
        self._source = ends.source
        parts = Parts(
            self._source,
            lasting.ledger,
            ends.transport,
            lasting.in_flight,
            lasting.conditions,
            lasting.reported,
            self._observe,
            recent_mails=lasting.recent_mails,
        )
        self._worker = Worker(parts, ends.config.sender, ends.config.mail, lasting.clock)
        self._retired = asyncio.Event()
        lasting.reporter.in_use = in_use.of(ends.config.source, ends.config.relay, parts, self._worker)
        if lasting.control is not None:
            lasting.control.handler = Handler(
                lasting.ledger, self._source, lasting.clock, self._worker, lasting.reporter
            )

    async def run(self, workers: asyncio.TaskGroup, watch: Watch, stop: asyncio.Event) -> Ends | None:
        """Work until the configuration changes, and return the new one's; or to the end, and return None."""
        working = workers.create_task(self.work(self._retired))
        changing = asyncio.ensure_future(Ends.next(watch, self._clock, self._observe))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({working, changing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._retired.set()
            if not changing.done() or stop.is_set():
                return None
            await asyncio.wait({working, stopping}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            return changing.result()
        finally:
            changing.cancel()
            stopping.cancel()

    async def work(self, stop: asyncio.Event) -> None:
        """Work until the stop event is set, or nothing is left to do."""
        try:
            await self._worker.run(stop)
        finally:
            await self._source.close()


def _alerts(config: Config) -> Plan | None:
    """Return who is alerted; nobody in a dry run, in which nothing goes out."""
    if isinstance(config.relay, FolderConfig):
        return None
    return Plan.of(config.alert, config.mail.instance_url, config.secrets)


def test_mail(config: Config) -> TestMail:
    """Return what a test mail needs."""
    ends = Ends.of(config)
    return TestMail(ends.source, ends.transport, config.mail, SteadyClock())


def started(config: Config) -> None:
    """Log that the work begins, and under which configuration."""
    _log.info("started", version=__version__, **_described(config))
    _announce(config)


def _reloaded(config: Config) -> None:
    _log.info("reloaded", **_described(config))
    _announce(config)


def _described(config: Config) -> dict[str, object]:
    relay = config.relay
    return {
        "server": config.source.uri,
        "relay": relay.place,
        "security": relay.security.value if isinstance(relay, RelayConfig) else None,
        "login": isinstance(relay, RelayConfig) and relay.username is not None,
        "sender": config.mail.from_address,
        "instance_url": config.mail.instance_url,
        "schedule": config.sender.schedule or "once",
    }


def _announce(config: Config) -> None:
    relay = config.relay
    if isinstance(relay, FolderConfig):
        _log.warning("dry_run", folder=relay.place, message=_DRY)
    for source in config.mail.appearance.templates.sources():
        if source.serves:
            _log.info("template_override", file=source.name, serves=source.serves)
    for warning in config.warnings:
        _log.warning("config_warning", message=warning)
