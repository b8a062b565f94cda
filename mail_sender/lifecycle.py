"""Start and stop of the process: signals, the grace period, and an end that nothing can delay.

The first SIGTERM or SIGINT sets the stop event: nothing new begins, and mails in flight may end. When the grace
period ends, the rest is cancelled; if something does not react even to that, the process exits nevertheless. A second
signal ends it at once. HUP, ALRM, USR1 and USR2 are ignored from the first line on (`__main__`).
"""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from mail_sender.errors import Exit
from mail_sender.relay.resolver import ResolvingLoop

Result = TypeVar("Result")

_log = structlog.get_logger()

_CANCEL_SECONDS = 0.5  # of the grace period, for cancelling
_OBJECTS = 2_000  # after so many more, garbage is looked for; as in Python 3.13


def run(work: Callable[[asyncio.Event], Awaitable[None]], grace_seconds: float) -> None:
    """Run the work until it ends, or a signal ends it; returns within the grace period of the first one.

    `work` gets the stop event and is expected to return soon after it is set.
    """
    _collect_garbage_again()
    with asyncio.Runner(loop_factory=ResolvingLoop) as runner:
        runner.run(_supervised(work, grace_seconds))


def run_once(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the work to its end and return its result; Ctrl-C raises `KeyboardInterrupt`, as in any program."""
    _collect_garbage_again()
    with asyncio.Runner(loop_factory=ResolvingLoop) as runner:
        return runner.run(work)


def _collect_garbage_again() -> None:
    """Undo what `__main__` set for start-up; what that has made stays, and no collection looks through it."""
    gc.freeze()
    gc.set_threshold(_OBJECTS)


async def _supervised(work: Callable[[asyncio.Event], Awaitable[None]], grace_seconds: float) -> None:
    stop = asyncio.Event()
    _install(asyncio.get_running_loop(), stop, grace_seconds)
    working = asyncio.ensure_future(work(stop))
    stopping = asyncio.ensure_future(stop.wait())
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
        _leave()
    if not working.cancelled():
        working.result()


def _install(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, grace_seconds: float) -> None:
    """Handle both signals outside the event loop, which may be busy, or blocked by a log that nobody reads."""
    is_stopping = False

    def on_signal(number: int, _frame: object) -> None:
        nonlocal is_stopping
        if is_stopping:
            _leave()
        is_stopping = True
        last_resort = threading.Timer(grace_seconds, _leave)
        last_resort.daemon = True
        last_resort.start()
        loop.call_soon_threadsafe(_begin_to_stop, signal.Signals(number).name, stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _begin_to_stop(name: str, stop: asyncio.Event) -> None:
    stop.set()
    _log.info("stopping", signal=name, message="nothing new is started")


def _leave() -> None:
    """End the process without a line in the log: writing it could hang."""
    os._exit(Exit.DONE)
