"""One run for cron and CI: one poll, a try of what is due, the marks, and an exit code (`mail-sender run --once`).

It is the sender without a schedule. It does not stand by: where a sender has the ledger already, there is nothing to
do here. It watches no files, and listens to nobody but the queue verbs.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import structlog

from mail_sender.clock import SteadyClock
from mail_sender.config.config import Config
from mail_sender.errors import Exit, LedgerFault
from mail_sender.ledger.base import Query
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import BusyLedger
from mail_sender.ledger.states import OPEN
from mail_sender.lifecycle import Signals
from mail_sender.observe.listener import Listener
from mail_sender.observe.run_result import RunResult
from mail_sender.relay.config import FolderConfig
from mail_sender.wiring import announce
from mail_sender.wiring.ends import Ends
from mail_sender.wiring.generation import Generation
from mail_sender.wiring.lasting import Lasting, state_of

Show = Callable[[int, int], None]
"""Shows how many deliveries have ended, of how many."""

SHOWN_EVERY = 0.5
"""Seconds between two looks at how far the run has come."""

_log = structlog.get_logger()


async def run(config: Config, signals: Signals, show: Show | None) -> Exit:
    """Run once, or until the stop event is set, and return the exit code (`observe.run_result`).

    Raises `BusyLedger` if somebody else has the ledger, and `MailSenderError` if it cannot be used.
    """
    at_once = tuple(replace(fallback, after=0.0) for fallback in config.fallbacks)  # there is no time to wait
    config = replace(config, sender=replace(config.sender, schedule=None), fallbacks=at_once)
    clock = SteadyClock()
    async with AsyncExitStack() as opened:
        if (state := state_of(config)) is not None:
            lock = Lock(state)
            opened.callback(lock.release)
            if not lock.take():
                raise BusyLedger(
                    f"{lock.holder()} has the ledger in {state.path}: a sender that runs delivers what is queued; "
                    "this run did nothing"
                )
        lasting = await opened.enter_async_context(Lasting.open(config, state, Listener(clock), clock))
        ends = Ends.of(config)
        announce.started(config)
        generation = Generation(ends, lasting)
        showing = asyncio.ensure_future(_show(lasting, show)) if show else None
        try:
            await generation.work(signals.stop)
        finally:
            if showing:
                showing.cancel()
        if show:
            await _show_now(lasting, show)
        result = await _result(lasting, is_dry=isinstance(config.relay, FolderConfig))
    _report(result)
    return result.exit_code


async def _result(lasting: Lasting, *, is_dry: bool) -> RunResult:
    try:
        left = await lasting.ledger.summary(lasting.clock.now())
    except LedgerFault:  # the flow has met it and said it
        left = None
    return RunResult(lasting.observers.run, left, is_dry)


def _report(result: RunResult) -> None:
    match result.exit_code:
        case Exit.DONE:
            _log.info("finished", **result.counts, message=str(result))
        case Exit.TEMPORARY:
            _log.warning("finished", **result.counts, message=str(result))
        case _:
            _log.error("finished", **result.counts, message=str(result))


async def _show(lasting: Lasting, show: Show) -> None:
    while True:
        await _show_now(lasting, show)
        await asyncio.sleep(SHOWN_EVERY)


async def _show_now(lasting: Lasting, show: Show) -> None:
    with suppress(LedgerFault):
        waiting = await lasting.ledger.count(Query(OPEN))
        ended = lasting.observers.run.ended.total()
        show(ended, ended + sum(waiting.values()))
