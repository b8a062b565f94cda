"""F20: the database goes away, is held up, slow, read-only, full or killed; and a replica comes back too late.

Before a call of the ledger the fault begins. While it lasts nothing new begins, and no mail goes out whose dot is not
committed; when it ends, all goes on by itself. A fault that is over at once, such as a connection that breaks, is no
reason to stop at all. Some of it is done by a proxy before the database, some by an administrator's SQL, and some to a
server of the case's own.

Where two replicas share the ledger, one is cut off past its lease, with its next step on the way to the database. The
other takes over what it had, and carries it. When the first one is back, it changes nothing, and sends nothing twice.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from tests.faults.family import Case, Family
from tests.faults.killing import Point
from tests.faults.ledger_faults import POINTS, require_dots, require_peace, strike, while_it_fails
from tests.faults.rig import Rig
from tests.faults.rig_database import DatabaseProxy, freeze, processes, proxy_before
from tests.faults.rig_ledger import SCHEMA, InDatabase
from tests.faults.rig_place import Wraps, assemble
from tests.faults.rig_record import Heard
from tests.faults.rig_tap import tapped

_OF_ITS_OWN = ("ledger.begin:before:1", "ledger.dot:before:4", "ledger.settle:before:1")
"""Points at which something is done to a server of the case's own, which takes a second to make."""
_HELD_SECONDS = 25.0
"""Seconds after which a database that does not answer is given up, at the latest."""
_BACK_SECONDS = 20.0


@dataclass(frozen=True)
class World:
    """A case's database: the server, and the proxy before it."""

    rig: Rig
    home: InDatabase
    proxy: DatabaseProxy

    async def sql(self, *statements: str) -> None:
        """Do what an administrator does, in the case's database."""
        for statement in statements:
            await self.home.do(statement, as_role="postgres")


Deed = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A fault that lasts: its begin and its end, and after how many seconds it is said at the latest."""

    begin: Deed
    end: Deed
    said_after: float = 10.0
    server_of_its_own: bool = False


def _of_proxy(begin: Callable[[DatabaseProxy], Awaitable[None]], said_after: float = 10.0) -> Fault:
    async def do(world: World) -> None:
        await begin(world.proxy)

    async def end(world: World) -> None:
        await world.proxy.mend()

    return Fault(do, end, said_after)


def _by_sql(begin: Sequence[str], end: Sequence[str]) -> Fault:
    async def do(world: World) -> None:
        await world.sql(*begin)

    async def undo(world: World) -> None:
        await world.sql(*end)

    return Fault(do, undo)


_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_READ_ONLY = (
    "DO $$ BEGIN EXECUTE format("
    "'ALTER ROLE mail IN DATABASE %I SET default_transaction_read_only = {}', current_database()); END $$"
)
_TABLES = ("message", "delivery", "attempt")
_FULL = (
    f"CREATE FUNCTION {SCHEMA}.is_full() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
    *(
        f"CREATE TRIGGER is_full BEFORE INSERT OR UPDATE ON {SCHEMA}.{table} EXECUTE FUNCTION {SCHEMA}.is_full()"
        for table in _TABLES
    ),
)


async def _freeze(world: World) -> None:
    freeze(world.home.server, frozen=True)


async def _thaw(world: World) -> None:
    freeze(world.home.server, frozen=False)


async def _stop(world: World) -> None:
    await asyncio.to_thread(world.home.server.stop)


async def _kill(world: World) -> None:
    """Kill the first process with -9; the others end when they see that, and a new one waits for that."""
    others = processes(world.home.server)[1:]
    await asyncio.to_thread(world.home.server.stop, signal.SIGKILL)
    await asyncio.to_thread(world.home.server.wait_for_end_of, others)


async def _start(world: World) -> None:
    await asyncio.to_thread(world.home.server.start)


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "refused": _of_proxy(DatabaseProxy.refuse),
        "held up": _of_proxy(DatabaseProxy.hold, _HELD_SECONDS),
        "heard, and not answered": _of_proxy(DatabaseProxy.lose_answers),
        "read-only": _by_sql([_READ_ONLY.format("on"), _END_SESSIONS], [_READ_ONLY.format("off"), _END_SESSIONS]),
        "full": _by_sql(_FULL, [f"DROP FUNCTION {SCHEMA}.is_full() CASCADE"]),
        "without its schema": _by_sql(
            [f"ALTER SCHEMA {SCHEMA} RENAME TO elsewhere"], [f"ALTER SCHEMA elsewhere RENAME TO {SCHEMA}"]
        ),
        "not allowed any more": _by_sql(
            [f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM mail"],
            [f"GRANT ALL ON ALL TABLES IN SCHEMA {SCHEMA} TO mail"],
        ),
        "stopped by SIGSTOP": Fault(_freeze, _thaw, _HELD_SECONDS, server_of_its_own=True),
        "stopped and started": Fault(_stop, _start, server_of_its_own=True),
        "killed with -9 and started": Fault(_kill, _start, server_of_its_own=True),
    }
)


async def _cut(world: World) -> None:
    await world.proxy.cut()


async def _end_sessions(world: World) -> None:
    await world.sql(_END_SESSIONS)


async def _slow(world: World) -> None:
    await world.proxy.be_slow()


async def _crash(world: World) -> None:
    """Have one of the server's processes die, so that the server ends all others and recovers."""
    await world.home.crash_a_session()


_PASSING: Mapping[str, Deed] = MappingProxyType(
    {"connections are cut": _cut, "sessions are ended": _end_sessions, "it becomes slow": _slow}
)


def cases(_seed: int) -> Sequence[Case]:
    """Return each fault at each point, and what replicas do to each other."""
    return [
        *(
            Case(f"the database is {name} at {at}", partial(lasting, fault=fault, at=at), exactly_once=True)
            for name, fault in FAULTS.items()
            for at in POINTS
            if not fault.server_of_its_own or str(at) in _OF_ITS_OWN
        ),
        *(
            Case(f"{name} at {at}", partial(passing, deed=deed, at=at), exactly_once=True)
            for name, deed in _PASSING.items()
            for at in POINTS
        ),
        *(
            Case(f"the server crashes at {at}", partial(crashing, at=Point.parse(at)), exactly_once=True)
            for at in _OF_ITS_OWN
        ),
        Case("a replica is back with its dots", partial(late, method="dot"), exactly_once=True, always=True),
        Case("a replica is back with its claims", partial(late, method="begin"), exactly_once=True),
        Case("a replica is back with its outcomes", partial(late, method="settle")),
    ]


# Faults


async def lasting(rig: Rig, fault: Fault, at: Point) -> None:
    """Have a fault begin before a call, and end a while later."""
    async with world_of(rig, server_of_its_own=fault.server_of_its_own) as world:
        dots = await while_it_fails(rig, at, partial(fault.begin, world), fault.said_after)
        await fault.end(world)
    await rig.drained()
    require_peace(rig)
    require_dots(rig, dots)


async def passing(rig: Rig, deed: Deed, at: Point) -> None:
    """Have something happen before a call that is over at once, or does not keep mail from going."""
    async with world_of(rig) as world:
        await _met(rig, at, partial(deed, world))


async def crashing(rig: Rig, at: Point) -> None:
    """Have the server crash before a call, and recover by itself."""
    async with world_of(rig, server_of_its_own=True) as world:
        await _met(rig, at, partial(_crash, world))


async def _met(rig: Rig, at: Point, deed: Callable[[], Awaitable[None]]) -> None:
    struck = await strike(rig, at, deed)
    await rig.drained()
    assert struck.met.is_set(), f"{at} was not met"
    require_peace(rig)
    require_dots(rig, struck.dots)


@asynccontextmanager
async def world_of(rig: Rig, *, server_of_its_own: bool = False) -> AsyncIterator[World]:
    """Put a proxy before the case's database, or before a server of its own; it stays until the case has ended."""
    if server_of_its_own:
        await rig.use_server_of_its_own()
    assert isinstance(rig.home, InDatabase)
    proxy = await rig.cleanup.enter_async_context(proxy_before(rig.home.server))
    rig.place = replace(rig.place, database=rig.home.by_way_of(proxy.folder))
    yield World(rig, rig.home, proxy)


# Replicas


async def late(rig: Rig, method: str) -> None:
    """Have a replica be cut off before its first call of a method; the call arrives when another one has taken over."""
    async with world_of(rig) as world:
        cut_off = asyncio.Event()

        async def before(name: str, _arguments: tuple[Any, ...]) -> None:
            if name == method and not cut_off.is_set():
                await world.proxy.hold()
                cut_off.set()
                rig.changes.ring()

        rig.wraps.ledger = lambda ledger: tapped(ledger, before=before)
        for number in range(8):
            rig.mail(reset=number % 2 == 0)
        await rig.start()
        assert await rig.changes.until(cut_off.is_set), f"{method} was not called"
        of_first = len(rig.relay.connections)
        async with another(rig):
            await rig.drained()
            if method == "settle":
                _forgive_unwritten(rig, of_first)
            mails = len(rig.relay.mails)
            await world.proxy.mend()
            last = rig.mail()
            assert await rig.changes.until(lambda: rig.api.sent_at(last.id) is not None, _BACK_SECONDS)
            assert len(rig.relay.mails) == mails + 1, "a mail went out that another replica had sent"
            await rig.drained()


def _forgive_unwritten(rig: Rig, connections: int) -> None:
    """Note of what the relay took from the first replica, and said so: nobody else can know, until it is back."""
    for place, mail in enumerate(rig.relay.mails):
        if mail.connection <= connections and mail.heard is Heard.YES:
            rig.relay.amend(place, Heard.PERHAPS)


@asynccontextmanager
async def another(rig: Rig) -> AsyncIterator[None]:
    """Run a second replica beside the first, with nothing between it and the database."""
    watched = Wraps(ledger=lambda ledger: tapped(ledger, rig._note_dot, rig._ring))
    sender = await assemble(replace(rig.place, database=rig.home.database), watched, rig.clock)
    stop = asyncio.Event()
    running = asyncio.create_task(sender.worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running
        await sender.close()


_ELSEWHERE = "it is about a database; F9 does the like to the ledger's file"
FAMILY = Family("F20", "the database", cases, slice_size=5, together=8, ledger="postgresql", elsewhere=_ELSEWHERE)
