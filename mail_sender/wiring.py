"""The wiring: from the configuration to concrete parts. The only reader of the whole `Config`."""

import asyncio

import structlog

from mail_sender import __version__
from mail_sender.clock import SystemClock
from mail_sender.deliver.smtp import SmtpTransport
from mail_sender.ledger.memory import MemoryLedger
from mail_sender.relay_address import Security
from mail_sender.settings import Config
from mail_sender.source.kanidm import KanidmSource
from mail_sender.trial import Trial
from mail_sender.worker import Stages, Worker

_log = structlog.get_logger()


async def run(config: Config, stop: asyncio.Event) -> None:
    """Send until the stop event is set, or the schedule is over."""
    source = KanidmSource(config.server)
    try:
        _announce(config)
        stages = Stages(source, MemoryLedger(), SmtpTransport(config.relay, _discovered))
        await Worker(stages, config.letter, config.worker, SystemClock()).run(stop)
    finally:
        await source.close()
    _log.info("stopped")


def trial(config: Config) -> Trial:
    """Return what a test mail needs."""
    transport = SmtpTransport(config.relay, _discovered)
    return Trial(KanidmSource(config.server), transport, config.letter, SystemClock())


def _announce(config: Config) -> None:
    relay = config.relay
    _log.info(
        "started",
        version=__version__,
        server=config.server.uri,
        relay=relay.place,
        security=relay.security.value,
        login=relay.username is not None,
        sender=config.letter.from_address,
        schedule=str(config.worker.schedule),
    )
    for warning in config.warnings:
        _log.warning("config", say=warning)
    _log.warning("memory_ledger", say="what was sent is remembered while this runs; a restart may repeat mail")


def _discovered(security: Security) -> None:
    _log.info("relay_security", found=security.value, say="found out on the first connection")
