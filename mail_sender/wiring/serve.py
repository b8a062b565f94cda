"""Serves: sends under one configuration after the other, until a signal ends it or the schedule is over.

The ledger, its lock and the control socket live as long as the process (`lasting`); source, transport and worker as
long as one configuration (`generation`). When a file of the configuration changes, the next generation begins at
once, so that a corrected password is tried immediately; attempts in flight end beside it. A configuration with faults
is reported and ignored: the previous one stays in use.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog

from mail_sender.clock import Clock, SteadyClock
from mail_sender.config.config import Config
from mail_sender.config.watch import Watch
from mail_sender.errors import Exit
from mail_sender.ledger.lock import Lock
from mail_sender.lifecycle import Signals
from mail_sender.observe.listener import Listener
from mail_sender.observe.sd_notify import Systemd
from mail_sender.observe.systemd import Service
from mail_sender.wiring import announce
from mail_sender.wiring.ends import Ends
from mail_sender.wiring.generation import Generation
from mail_sender.wiring.lasting import Lasting, state_of

_log = structlog.get_logger()

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


async def _generations(first: Config, watch: Watch, lasting: Lasting, stop: asyncio.Event) -> None:
    """Work under one configuration after the other; a worker that crashes, a retired one too, ends them all.

    Raises `UnusableFile` before the first one begins, and an `ExceptionGroup` with what the worker raised.
    """
    ends: Ends | None = Ends.of(first, lasting.observers.observe)
    announce.started(first)
    async with asyncio.TaskGroup() as workers:
        while ends is not None:
            generation = Generation(ends, lasting)
            await lasting.follow(ends.config)
            ends = await generation.run(workers, watch, stop)
            if ends is not None:
                announce.reloaded(ends.config)
                lasting.conditions = lasting.conditions.succeeded()
