"""Several senders on one ledger, as processes, which a test kills, stops and starts again; and how long takeovers take.

What a killed sender had in flight stands in the ledger as its own until another one takes it over. `watch` looks at
that all the while, from beside: with a connection of its own, as a superuser.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from mail_sender.errors import Exit
from tests.support.postgres import Postgres
from tests.support.sender import MAIL_SENDER, Sender
from tests.support.stub import Stub

SHIPPED = (str(MAIL_SENDER),)
HASTY = (sys.executable, "-m", "tests.support.hasty_sender")

_IN_FLIGHT = """
    SELECT r.pid, count(*) FROM mail_sender.delivery d JOIN mail_sender.replica r ON r.id = d.replica
    WHERE d.state = 'processing' GROUP BY 1
    """
_ENDED = """
    SELECT count(*) FROM mail_sender.message m WHERE marked_at IS NOT NULL OR EXISTS (
        SELECT FROM mail_sender.delivery d WHERE d.message = m.number AND d.state = 'unknown'
    )
    """
_BETWEEN = 0.2  # seconds between two looks


@dataclass
class Fleet:
    """Senders of one configuration; `killed` says when which process was, `longest_takeover` in seconds.

    A takeover counts from the kill, or from when the database was back (`database_is_back`).
    """

    stub: Stub
    server: Postgres
    folder: Path
    program: Sequence[str] = SHIPPED
    senders: list[Sender] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    killed: dict[int, float] = field(default_factory=dict)
    left_in_flight: set[int] = field(default_factory=set)
    longest_takeover: float = 0.0
    _back_at: float = 0.0
    _running: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Give the fleet, which has no senders yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what still runs."""
        self._running.close()

    def start(self, number: int, **env: str) -> None:
        """Start the sender of this number, a new one or one that was killed."""
        env |= {"STATE_DIRECTORY": str(self.folder / f"sender-{number}")}
        sender = Sender(self.stub.client_config, self.stub.sender_config, env=env, program=self.program)
        self.senders[number : number + 1] = [self._running.enter_context(sender)]

    def is_up(self, number: int) -> bool:
        """Say whether a sender runs and has begun to mail."""
        return number not in self.stopped and bool(self.senders[number].events("sent"))

    def kill(self, number: int) -> None:
        """Kill a sender with -9, and start it anew."""
        process = self.senders[number].process
        process.kill()
        process.wait()
        self.killed[process.pid] = time.monotonic()
        self.stopped.discard(number)
        self.start(number)

    def revive(self) -> None:
        """Start anew who has ended because it found no database when it started, as a service manager does."""
        for number, sender in enumerate(self.senders):
            if (code := sender.process.poll()) is not None:
                assert code == Exit.TEMPORARY, sender.log
                self.start(number)

    def stop(self, number: int) -> None:
        """Stop a sender with SIGSTOP."""
        self.senders[number].signal(signal.SIGSTOP)
        self.wait_stopped(number)

    def wait_stopped(self, number: int) -> None:
        """Return when a sender has been stopped, by whomever."""
        os.waitid(os.P_PID, self.senders[number].process.pid, os.WSTOPPED | os.WNOWAIT)
        self.stopped.add(number)

    def go_on(self, number: int) -> None:
        """Let a stopped sender go on."""
        self.senders[number].signal(signal.SIGCONT)
        self.stopped.discard(number)

    def database_is_back(self) -> None:
        """Note that the database was away until now: all leases may have run out, and the living prolong theirs first."""
        self._back_at = time.monotonic()

    async def watch(self, messages: int) -> None:
        """Look until so many are marked, or may have arrived and are not sent again; the database may be away."""
        while True:
            with contextlib.suppress(psycopg.Error):
                in_flight = await asyncio.to_thread(self.server.execute, _IN_FLIGHT)
                self._note(in_flight)
                if await asyncio.to_thread(self.server.execute, _ENDED) == [(messages,)]:
                    return
            await asyncio.sleep(_BETWEEN)

    def _note(self, in_flight: Sequence[Any]) -> None:
        for pid, _ in in_flight:
            if pid in self.killed:
                self.left_in_flight.add(pid)
                since = max(self.killed[pid], self._back_at)
                self.longest_takeover = max(self.longest_takeover, time.monotonic() - since)
