"""The wiring: from the configuration to concrete parts. The only reader of the whole `Config`.

The ledger and its lock live as long as the process; source, relay and worker as long as the configuration. When one
of its files changes, the parts are made anew, so that a password that was mended is tried at once; what is under way
ends in peace beside them. A configuration that has faults is named and left aside; the old one goes on.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from mail_sender import __version__
from mail_sender.clock import Clock, SteadyClock
from mail_sender.condition import Conditions
from mail_sender.config.config import Config
from mail_sender.config.watch import Watch
from mail_sender.control.handler import Handler
from mail_sender.control.server import Control
from mail_sender.ledger import state_folder
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.dry_run import DryRunLedger
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.endpoint import Security
from mail_sender.relay.folder import FolderTransport
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.transport import Transport
from mail_sender.sender.in_flight import InFlight
from mail_sender.sender.parts import Parts
from mail_sender.sender.test_mail import Trial
from mail_sender.sender.worker import Worker
from mail_sender.source.base import Source
from mail_sender.source.dry_run import DryRunSource
from mail_sender.source.kanidm import KanidmSource

_log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds for letters under way to end, before the parts that are made anew begin beside them."""

_DRY = (
    "a dry run: each mail is written into the folder and none is sent; nothing is marked on the server; "
    "the ledger is kept in memory"
)

Load = Callable[[], Config]


async def run(config: Config, load: Load, stop: asyncio.Event) -> None:
    """Send until the stop event is set, or the schedule is over; `load` reads the configuration anew.

    Raises `MailSenderError` where the state folder or its ledger cannot be used.
    """
    clock, files = SteadyClock(), Watch(config, load)
    state = None if isinstance(config.relay, FolderConfig) else state_folder.ready(config.ledger)
    async with AsyncExitStack() as opened:
        if state is not None:
            lock = state_folder.Lock(state)
            opened.callback(lock.release)
            if not await lock.stand_by(stop, clock):
                return
            config = files.latest(config)  # standing by may have lasted for weeks
        ledger = await _ledger(config, state)
        opened.push_async_callback(ledger.close)
        control = Control(state, Handler(ledger, None, clock)) if state else None
        if control is not None:
            await control.start()
            opened.push_async_callback(control.close)
        lasting = _Lasting(ledger, control, clock, InFlight(), set(), Conditions())
        opened.callback(_cancel, lasting.old)
        current: Config | None = config
        while current is not None:
            current = await _run_parts(current, files, lasting, stop)
            lasting.conditions = lasting.conditions.succeeded()
    _log.info("stopped")


@dataclass(slots=True)
class _Lasting:
    """What outlives a change of the configuration; `old` are workers that end their last letters."""

    ledger: Ledger
    control: Control | None
    clock: Clock
    in_flight: InFlight
    old: set[asyncio.Task[None]]
    conditions: Conditions


async def _ledger(config: Config, state: state_folder.StateFolder | None) -> Ledger:
    return await (
        DryRunLedger.open(None) if isinstance(config.relay, FolderConfig) else state_folder.open_ledger(state)
    )


def _source(config: Config) -> Source:
    source = KanidmSource(config.source)
    return DryRunSource(source) if isinstance(config.relay, FolderConfig) else source


def _transport(config: Config) -> Transport:
    if isinstance(config.relay, FolderConfig):
        return FolderTransport(config.relay.path)
    return SmtpTransport(config.relay, _discovered)


async def _run_parts(config: Config, files: Watch, lasting: _Lasting, stop: asyncio.Event) -> Config | None:
    """Work under one configuration; return the one that follows it, or None at the end."""
    _announce(config)
    source = _source(config)
    worker = Worker(
        Parts(source, lasting.ledger, _transport(config), lasting.in_flight, lasting.conditions),
        config.sender,
        config.mail,
        lasting.clock,
    )
    if lasting.control is not None:
        lasting.control.handler = Handler(lasting.ledger, source, lasting.clock, worker)
    enough = asyncio.Event()
    working = asyncio.ensure_future(_work(worker, source, enough))
    lasting.old.add(working)
    watching = asyncio.ensure_future(files.next_config(lasting.clock))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        enough.set()
        if watching.done() and not stop.is_set():
            await asyncio.wait({working, stopping}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            return watching.result()
        await asyncio.gather(*lasting.old)
        return None
    finally:
        watching.cancel()
        stopping.cancel()


async def _work(worker: Worker, source: Source, stop: asyncio.Event) -> None:
    try:
        await worker.run(stop)
    finally:
        await source.close()


def _cancel(workers: set[asyncio.Task[None]]) -> None:
    for worker in workers:
        worker.cancel()


def trial(config: Config) -> Trial:
    """Return what a test mail needs."""
    return Trial(_source(config), _transport(config), config.mail, SteadyClock())


def _announce(config: Config) -> None:
    relay = config.relay
    _log.info(
        "started",
        version=__version__,
        server=config.source.uri,
        relay=relay.place,
        security=relay.security.value if isinstance(relay, RelayConfig) else None,
        login=isinstance(relay, RelayConfig) and relay.username is not None,
        sender=config.mail.from_address,
        schedule=str(config.sender.schedule),
    )
    if isinstance(relay, FolderConfig):
        _log.warning("dry_run", folder=relay.place, message=_DRY)
    for source in config.mail.appearance.templates.sources():
        if source.serves:
            _log.info("template_override", file=source.name, serves=source.serves)
    for warning in config.warnings:
        _log.warning("config_warning", message=warning)


def _discovered(security: Security) -> None:
    _log.info("relay_security", found=security.value, message="found out on the first connection")
