"""What lives as long as the process, and outlives a change of the configuration."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from mail_sender.clock import Clock
from mail_sender.condition import Conditions
from mail_sender.config.config import Config
from mail_sender.control.handler import Handler
from mail_sender.control.server import Control
from mail_sender.ledger import database, state_folder
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.dry_run import DryRunLedger
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.observe import disk, domain_watch
from mail_sender.observe.alerts.loop import Alerting, Plan
from mail_sender.observe.alerts.tally import Tally
from mail_sender.observe.domain_watch import DomainWatch
from mail_sender.observe.listener import Listener
from mail_sender.observe.observers import Observers
from mail_sender.observe.reporter import Reporter
from mail_sender.observe.watched import Watched
from mail_sender.relay.config import FolderConfig
from mail_sender.sender.in_flight import InFlight
from mail_sender.sender.recent_mails import RecentMails
from mail_sender.sender.reported import Reported


def state_of(config: Config) -> StateFolder | None:
    """Return the state folder, or None where the ledger is kept in memory. Raises `MailSenderError`."""
    return None if isinstance(config.relay, FolderConfig) else state_folder.ready(config.ledger)


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
        """Go by this configuration: where to listen, whom to alert, what to warn of, which domains to look at."""
        self.reporter.secrets |= config.secrets
        self.reporter.advisories.use(config.warnings)
        await self.listener.follow(config.observe)
        await self.alerting.follow(_alerts(config), self.conditions.alerts)
        await self.domain_watch.follow(domain_watch.command(config.files, config.mail, config.relay, config.doctor))

    @classmethod
    @asynccontextmanager
    async def open(
        cls, config: Config, state: StateFolder | None, listener: Listener, clock: Clock
    ) -> AsyncIterator[Self]:
        """Open it; whoever does has the lock. Raises `MailSenderError` if the ledger cannot be used."""
        async with AsyncExitStack() as opened:
            ledger = await _ledger(config, state)
            opened.push_async_callback(ledger.close)
            opened.callback(listener.close)  # before the ledger, which it reads
            tally = Tally()
            observers = Observers(clock.now(), listener.observe, tally.observe)
            reporter = Reporter(ledger, observers, clock, partial(disk.ledger_status, state, config.ledger))
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


async def _ledger(config: Config, state: StateFolder | None) -> Ledger:
    if isinstance(config.relay, FolderConfig):
        return await DryRunLedger.open(None)
    if config.ledger.kind == "postgresql":
        return await database.open_ledger(config.ledger)
    return await state_folder.open_ledger(state)


def _alerts(config: Config) -> Plan | None:
    """Return who is alerted; nobody in a dry run, in which nothing goes out."""
    if isinstance(config.relay, FolderConfig):
        return None
    return Plan.of(config.alert, config.mail.instance_url, config.secrets)
