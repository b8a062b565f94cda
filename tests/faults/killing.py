"""A sender that dies on order: the program's parts as the wiring makes them, with a deed at the nth call of a method.

Where a deed can happen is not written down here, but read off the Protocols: before and after each coroutine method of
ledger, source and transport, so that a new method is a new place. To these come `transport.before_dot`, which a
transport is given, `disk.commit`, SQLite's own, and `loop.step`, the nth step of the event loop, whatever that is.

`python -m tests.faults.killing FD` is the nursery's process: everything is imported once, and then forked.
The child keeps a journal of how far each delivery has come, written in a way that survives `kill -9`:
between the dot's commit and its outcome's lies the only place that excuses a copy.
"""

import asyncio
import contextlib
import inspect
import json
import os
import resource
import signal
import socket
import sqlite3
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import Context
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVarTuple, cast

from mail_sender import log
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.postgres.connection import Connection
from mail_sender.mail.mail import Mail
from mail_sender.relay.transport import BeforeDot, Transport
from mail_sender.source.base import Source
from mail_sender.verdict import Verdict
from tests.faults import saboteurs
from tests.faults.nursery import Request, Ward
from tests.faults.rig_place import Place, Wraps, assemble
from tests.faults.rig_tap import Hook, overridden, tapped

_Words = TypeVarTuple("_Words")
PARTS: Mapping[str, type] = MappingProxyType({"ledger": Ledger, "source": Source, "transport": Transport})
SIDES = ("before", "after")
LIMITED_SECONDS = 0.6
"""How long a limited child cannot write to files, in real seconds."""


def methods() -> list[str]:
    """Return every `part.method` at which a sender can be killed."""
    found = [
        f"{part}.{name}"
        for part, protocol in PARTS.items()
        for name, member in vars(protocol).items()
        if inspect.iscoroutinefunction(member)
    ]
    return [*found, "transport.before_dot", "disk.commit"]


@dataclass(frozen=True)
class Point:
    """Before or after the nth call of a method."""

    method: str
    side: str
    nth: int

    def __str__(self) -> str:
        """Give the name that stands in a case's name."""
        return f"{self.method}:{self.side}:{self.nth}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the point of a name."""
        method, side, nth = text.split(":")
        return cls(method, side, int(nth))


@dataclass(frozen=True)
class Life:
    """What a child is told: where everything is, and what happens to it where.

    `deed` is `kill`, `limit` (no file can grow for a while) or `count`; `saboteur` spoils its ledger (`saboteurs`).
    """

    place: str
    journal: str
    deed: str = "count"
    point: str | None = None
    saboteur: str | None = None

    def to_json(self) -> str:
        """Return the life as text."""
        return json.dumps(asdict(self))


class Journal:
    """What outlives a child: one line for each thing that happened, written at once, where the disk takes it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *words: object) -> None:
        """Write a line."""
        with contextlib.suppress(OSError):
            os.write(self._file, (json.dumps([str(word) for word in words]) + "\n").encode())


class Fate:
    """Counts the calls, and does the deed when its point is reached."""

    def __init__(self, life: Life, journal: Journal) -> None:
        self.counts: Counter[str] = Counter()
        self._point = Point.parse(life.point) if life.point else None
        self._deed: Callable[[], None] = {"kill": _kill, "limit": _limit, "count": _nothing}[life.deed]
        self._journal = journal
        self._spoilt = getattr(saboteurs, life.saboteur) if life.saboteur else None

    def meet(self, method: str, side: str) -> None:
        """Note that a call begins or has ended, here and now."""
        key = f"{method}:{side}"
        self.counts[key] += 1
        if self._point and (self._point.method, self._point.side, self._point.nth) == (
            method,
            side,
            self.counts[key],
        ):
            self._journal.write("reached", self._point)
            self._deed()

    def hook(self, part: str, side: str) -> Hook:
        """Return what goes before or after all methods of a part."""

        async def meet(name: str, arguments: tuple[Any, ...]) -> None:
            if name in {"dot", "settle"} and part == "ledger":
                self._journal.write(f"{name}:{side}", arguments[0].message, arguments[0].recipient)
            self.meet(f"{part}.{name}", side)

        return meet

    def wraps(self) -> Wraps:
        """Return the taps for all three parts."""
        return Wraps(
            ledger=lambda ledger: self._tapped("ledger", self._spoilt(ledger) if self._spoilt else ledger),
            source=partial(self._tapped, "source"),
            transport=lambda transport: self._tapped("transport", self._with_dots(transport)),
        )

    def _tapped(self, name: str, part: Any) -> Any:
        return tapped(part, self.hook(name, "before"), self.hook(name, "after"))

    def _with_dots(self, transport: Transport) -> Transport:
        async def send(mail: Mail, before_dot: BeforeDot) -> Verdict:
            async def met() -> float | None:
                self.meet("transport.before_dot", "before")
                until = await before_dot()
                self.meet("transport.before_dot", "after")
                return until

            return await transport.send(mail, met)

        return overridden(transport, send=send)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _limit() -> None:
    """Have no file grow or be written anew for a while, as on a full disk (setrlimit(2): Python ignores SIGXFSZ)."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    lift = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (hard, hard))
    threading.Timer(LIMITED_SECONDS, lift).start()


def _nothing() -> None:
    return


class SteppingLoop(asyncio.SelectorEventLoop):
    """An event loop whose steps can be counted: every await that waits ends in one."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        super().__init__()

    def call_soon(
        self, callback: Callable[[*_Words], object], *args: *_Words, context: Context | None = None
    ) -> asyncio.Handle:
        """Count the step before it is taken."""

        def step() -> None:
            self._fate.meet("loop.step", "before")
            callback(*args)

        return super().call_soon(step, context=context)


def _meet_commits(fate: Fate, journal: Journal, place: Place) -> None:
    """Have the commits of the ledger be points, too. Nobody else lives in this process."""
    if place.database is None:
        _meet_commits_of_sqlite(fate, journal, Path(f"{place.ledger}-wal"))
    else:
        _meet_commits_of_postgresql(fate)


def _meet_commits_of_sqlite(fate: Fate, journal: Journal, wal: Path) -> None:
    """Write down as well how long the -wal is before each."""

    class Meeting(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, parameters)
            journal.write("wal", wal.stat().st_size if wal.exists() else 0)
            fate.meet("disk.commit", "before")
            done = super().execute(sql)
            fate.meet("disk.commit", "after")
            return done

    sqlite3.connect = partial(sqlite3.connect, factory=Meeting)  # type: ignore[assignment]  # see above


def _meet_commits_of_postgresql(fate: Fate) -> None:
    """A transaction goes out whole, its COMMIT with it: in between, the steps of the event loop are points."""
    run = Connection.run

    async def meeting(connection: Connection, *statements: Any, reads: bool = False, **how: Any) -> Any:
        if reads:
            return await run(connection, *statements, reads=reads, **how)
        fate.meet("disk.commit", "before")
        done = await run(connection, *statements, **how)
        fate.meet("disk.commit", "after")
        return done

    Connection.run = meeting  # type: ignore[assignment, method-assign]  # see above


async def _send(life: Life, fate: Fate) -> None:
    """Be the sender until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    place = Place.from_json(life.place)
    sender = await assemble(place, fate.wraps())
    await sender.worker.run(stop)
    for part in ("transport", "source", "ledger"):
        closing = cast("Callable[[], Awaitable[None]]", getattr(sender, part).close)
        fate.meet(f"{part}.close", "before")
        await closing()
        fate.meet(f"{part}.close", "after")


def live(life: Life) -> int:
    """Lead a life in this process, and return its exit code."""
    journal = Journal(Path(life.journal))
    fate = Fate(life, journal)
    place = Place.from_json(life.place)
    os.environ |= {"SSL_CERT_FILE": str(place.ca), "SSL_CERT_DIR": str(place.ca.parent)}
    log.configure(debug=True, form="text")
    _meet_commits(fate, journal, place)
    with asyncio.Runner(loop_factory=partial(SteppingLoop, fate)) as runner:
        runner.run(_send(life, fate))
    journal.write("counts", json.dumps(fate.counts))
    return 0


def _be_born(request: Request) -> None:
    """Lead the requested life in the process that was just forked; this never returns."""
    code = 70
    try:
        for stream in (1, 2):
            os.dup2(request.streams, stream)
        os.closerange(3, 256)
        code = live(Life(**json.loads(request.life)))
    except BaseException:  # noqa: BLE001 - the parent reads it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def requests(ward: Ward) -> Iterator[Request]:
    """Yield the lives that are asked for."""
    while (request := ward.next_request()) is not None:
        yield request


def main() -> None:
    """Fork a child for each life that is asked for. A child hears a SIGTERM as soon as it can obey."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    ward = Ward(socket.socket(fileno=int(sys.argv[1])))
    for request in requests(ward):
        pid = os.fork()
        if pid == 0:
            _be_born(request)
        ward.keep(pid, request)
    ward.close()


if __name__ == "__main__":
    main()
