"""How a queue verb reaches the ledger: through the sender that has it, or, where none runs, with its own hands.

1. A sender answers on the control socket.
2. Nobody answers, and the lock is free: the ledger is opened here, under the lock. Who only looks gives the lock
   back once the ledger is open, so that a list that somebody reads for an hour keeps no sender from starting.
   What a killed sender left under way is settled first, as the sender itself does it at its next start.
3. Somebody has the lock, but does not answer: a sender that is starting, or another verb. After a few seconds that
   is said; trying again is up to the operator.

All of it as the owner of the ledger, where root asks.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Self

from mail_sender.clock import SteadyClock
from mail_sender.control import server
from mail_sender.control.command import Command
from mail_sender.control.handler import Handler, Lines
from mail_sender.control.response import Line
from mail_sender.errors import LedgerFault
from mail_sender.ledger import state_folder
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.state_folder import BusyLedger, StateFolder
from mail_sender.relay.resolver import ResolvingLoop
from mail_sender.sender import settle
from mail_sender.source.base import Source

PATIENCE = 3.0
"""Seconds for a sender that is starting, or for another verb that is at work."""
_LOOK_AGAIN = 0.1
_AT_ONCE = 100


class Client:
    """The way to the ledger of a folder, used as a context manager.

    `source` makes what a message is read from, where that is needed and no sender does it.
    """

    def __init__(self, state: StateFolder, source: Callable[[], Source] | None = None) -> None:
        self._state = state
        self._make_source = source
        self._lock = Lock(state)
        self._local: _LocalAccess | None = None
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        self._held.close()

    def ask(self, command: Command) -> Iterator[Line]:
        """Yield the answer's lines; the last one is its `end`.

        Raises `MailSenderError` where nobody can answer.
        """
        if self._local is None:
            connection = self._somebody()
            if connection is not None:
                return server.ask(connection, command)
            self._local = self._open(command)
        return self._local.answer(command)

    def _somebody(self) -> server.Connection | None:
        """Return a connection to the sender, or None once the lock is ours."""
        until = time.monotonic() + PATIENCE
        while True:
            if (connection := server.connect(self._state)) is not None:
                return connection
            if self._lock.take():
                self._held.callback(self._lock.release)
                return None
            if time.monotonic() > until:
                raise BusyLedger(
                    f"{self._lock.holder()} has the ledger in {self._state.path}, but does not answer; "
                    "try again in a moment: it may be starting, or be another queue verb at work"
                )
            time.sleep(_LOOK_AGAIN)

    def _open(self, command: Command) -> "_LocalAccess":
        source = self._make_source() if self._make_source else None
        self._held.enter_context(self._state.as_owner())
        hands = _LocalAccess(self._state, source)
        self._held.callback(hands.close)
        hands.open()
        if command.only_looks:
            self._lock.release()
        return hands


class _LocalAccess:
    """A desk on a ledger of our own opening, with an event loop to run it."""

    def __init__(self, state: StateFolder, source: Source | None) -> None:
        self._state = state
        self._source = source
        self._runner = asyncio.Runner(loop_factory=ResolvingLoop)
        self._ledger: SqliteLedger | None = None

    def open(self) -> None:
        """Open the ledger."""
        clock = SteadyClock()
        self._ledger = self._runner.run(state_folder.open_ledger(self._state))
        self._runner.run(_settle_interrupted(self._ledger, clock.now()))
        self._handler = Handler(self._ledger, self._source, clock)

    def answer(self, command: Command) -> Iterator[Line]:
        """Yield the answer's lines."""
        lines = self._handler.answer(command)
        while some := self._runner.run(_some(lines)):
            yield from some

    def close(self) -> None:
        """Close ledger and source, whatever was under way."""
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        if self._ledger is not None:
            await self._ledger.close()
        if self._source is not None:
            await self._source.close()


async def _some(lines: Lines) -> list[Line]:
    """Return the next few lines, or none at the end: to enter the loop costs more than a line."""
    found: list[Line] = []
    while len(found) < _AT_ONCE and (line := await anext(lines, None)) is not None:
        found.append(line)
    return found


async def _settle_interrupted(ledger: Ledger, now: datetime) -> None:
    with suppress(LedgerFault):  # the order will meet it as well, and say it
        for delivery in await ledger.interrupted():
            outcome, line = settle.interrupted(delivery, now), settle.lost_track(delivery, now)
            await ledger.settle(delivery, outcome, now, line)
