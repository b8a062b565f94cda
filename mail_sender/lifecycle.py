"""Start and stop of the process: signals, the grace period, and an end that nothing can delay.

The first SIGTERM or SIGINT sets the stop event: nothing new begins, and mails in flight may end. When the grace
period ends, the rest is cancelled; if something does not react even to that, the process exits nevertheless. A second
signal ends it at once. SIGHUP sets the reload event; one that came earlier has waited since the first line
(`__main__`), where ALRM, USR1 and USR2 are ignored.
"""

import asyncio
import gc
import os
import signal
import threading
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from mail_sender.errors import Exit
from mail_sender.relay.resolver import ResolvingLoop

Result = TypeVar("Result")

_log = structlog.get_logger()

_CANCEL_SECONDS = 0.5  # of the grace period, for cancelling
_OBJECTS = 2_000  # after so many more, garbage is looked for; as in Python 3.13
_TLS_BUFFER = 32 * 1024  # octets that each TLS connection holds: two records; asyncio's own size is for downloads


@dataclass(frozen=True, slots=True)
class Signals:
    """What signals have asked for: to stop, once and for all; to reload, each time that the event is set."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)


def run(
    work: Callable[[Signals], Awaitable[Result]], grace_seconds: float, cut_off: Exit = Exit.DONE
) -> Result | Exit:
    """Run the work until it ends, or a signal ends it; returns within the grace period of the first one.

    `work` is expected to return soon after the stop event is set. Returns its result; `cut_off` if the work had to be
    cut off, which is also the exit code if even that is impossible.
    """
    _settle_down()
    with asyncio.Runner(loop_factory=ResolvingLoop) as runner:
        return runner.run(_supervised(work, grace_seconds, cut_off))


def run_once(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the work to its end and return its result; Ctrl-C raises `KeyboardInterrupt`, SIGTERM `SystemExit`.

    Both cancel the work first, so that it closes what it has opened.
    """
    _settle_down()
    with asyncio.Runner(loop_factory=ResolvingLoop) as runner:
        return runner.run(_until_sigterm(work))


async def _until_sigterm(work: Coroutine[Any, Any, Result]) -> Result:
    if threading.current_thread() is not threading.main_thread():
        return await work  # no other thread gets signals
    working, is_ended = asyncio.ensure_future(work), False

    def end() -> None:
        nonlocal is_ended
        is_ended = True
        working.cancel()

    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        return await working
    except asyncio.CancelledError:
        if is_ended:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _settle_down() -> None:
    """Collect garbage again, which `__main__` put off, and keep connections small: 32 of them would hold 8 MB.

    What start-up has made stays, and no collection looks through it.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS)
    sslproto.SSLProtocol.max_size = _TLS_BUFFER


async def _supervised(
    work: Callable[[Signals], Awaitable[Result]], grace_seconds: float, cut_off: Exit
) -> Result | Exit:
    signals = Signals()
    _install(asyncio.get_running_loop(), signals, grace_seconds, cut_off)
    working = asyncio.ensure_future(work(signals))
    stopping = asyncio.ensure_future(signals.stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        await asyncio.wait({working}, timeout=max(0.0, grace_seconds - _CANCEL_SECONDS))
    if not working.done():
        _log.warning("stop_forced", message=f"something did not end within {grace_seconds:g} s; it was cut off")
        working.cancel()
        await asyncio.wait({working}, timeout=_CANCEL_SECONDS / 2)
        _log.info("stopped")
    if not working.done():
        _leave(cut_off)
    return cut_off if working.cancelled() else working.result()


def _install(loop: asyncio.AbstractEventLoop, signals: Signals, grace_seconds: float, cut_off: Exit) -> None:
    """Handle signals outside the event loop, which may be busy, or blocked by a log that nobody reads."""
    is_stopping = False

    def on_stop(number: int, _frame: object) -> None:
        nonlocal is_stopping
        if is_stopping:
            _leave(cut_off)
        is_stopping = True
        last_resort = threading.Timer(grace_seconds, _leave, [cut_off])
        last_resort.daemon = True
        last_resort.start()
        call(_begin_to_stop, signal.Signals(number).name, signals.stop)

    def call(what: Callable[..., object], *given: object) -> None:
        with suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(what, *given)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_stop)
    signal.signal(signal.SIGHUP, lambda *_: call(signals.reload.set))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _begin_to_stop(name: str, stop: asyncio.Event) -> None:
    stop.set()
    _log.info("stopping", signal=name, message="nothing new is started")


def _leave(code: Exit) -> None:
    """End the process without a line in the log: writing it could hang."""
    os._exit(code)
