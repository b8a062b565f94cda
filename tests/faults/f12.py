"""F12: the machine's clock jumps, or is wrong from the start; the server's is right, and links end by the server's.

The sender has the clock that it is shipped with, over a machine of the case's own: its wall clock is the rig's time
and an offset, its monotonic clock runs on as ever. What the server's Date says is the rig's time, in the listing.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from types import MappingProxyType
from unittest.mock import patch

from mail_sender import clock as shipped
from mail_sender.clock import SteadyClock
from mail_sender.message import Listing
from mail_sender.source.base import NOTHING, Known, Source, Take, dropped
from server_stub.misbehaviour.exchange import reset
from tests.faults.api_faults import Met
from tests.faults.family import Case, Family, Play
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import deferring
from tests.faults.rig_clock import FastClock
from tests.faults.rig_tap import overridden

Shift = timedelta | datetime
SHIFTS: Mapping[str, Shift] = MappingProxyType(
    {
        "a day ahead": timedelta(days=1),
        "a day behind": timedelta(days=-1),
        "an hour ahead": timedelta(hours=1),
        "an hour behind": timedelta(hours=-1),
        "in 1970": datetime(1970, 1, 1, tzinfo=UTC),
        "in 2038": datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    }
)
_machine: ContextVar["Machine | None"] = ContextVar("machine", default=None)


class Machine:
    """A machine whose wall clock can be set; `offset` is by how much it is wrong."""

    def __init__(self, right: FastClock) -> None:
        self.right = right
        self.offset = timedelta(0)
        _machine.set(self)

    def shift(self, shift: Shift) -> None:
        """Set the wall clock, by so much or to that moment."""
        self.offset = shift if isinstance(shift, timedelta) else shift - self.right.now()


class WallClock(datetime):
    """Stands in for `datetime` in the shipped clock's module: it reads the case's machine."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a datetime will do
        """Return what the machine's wall clock shows."""
        machine = _machine.get()
        assert machine is not None, "nobody else has this clock"
        return machine.right.now() + machine.offset


class _Shipped(SteadyClock):
    """The shipped clock over the machine's monotonic clock."""

    def __init__(self, right: FastClock) -> None:
        self._right = right
        with patch.object(shipped, "datetime", WallClock):
            super().__init__()

    def monotonic(self) -> float:
        return self._right.monotonic()


class ShippedClock(FastClock):
    """The shipped clock at the rig's speed; each start of the sender gets a new one, as each process has its own."""

    def __init__(self, right: FastClock) -> None:
        super().__init__(right.epoch)
        self._shipped = _Shipped(right)

    def now(self) -> datetime:
        """Return the time that the sender believes in."""
        return self._shipped.now()

    def learn(self, date: datetime | None, newest: datetime | None = None) -> timedelta:
        """Take in what the server tells."""
        with patch.object(shipped, "datetime", WallClock):
            return self._shipped.learn(date, newest)


def cases(_seed: int) -> Sequence[Case]:
    """Return each shift at each moment, and two servers that do not tell the time."""
    found: list[tuple[str, Play]] = []
    for name, shift in SHIFTS.items():
        found.append((f"{name} from the start", partial(from_the_start, shift=shift)))
        found.append((f"{name} during a deferral", partial(during_a_deferral, shift=shift, restart=False)))
        found.append((f"{name} while it was off", partial(during_a_deferral, shift=shift, restart=True)))
        found.append((f"{name} while it and the server were off", partial(alone, shift=shift)))
    found.append(("a server that does not tell the time", silent))
    found.append(("a machine that is set forth and back all the time", restless))
    return [Case(name, play, exactly_once=True) for name, play in found]


def _prepare(rig: Rig, *, dated: bool = True) -> Machine:
    """Have the sender live on a machine of its own, with a server that tells the right time."""
    machine = Machine(rig.clock)

    def telling(source: Source) -> Source:
        async def list_ready(now: datetime, take: Take = dropped, known: Known = NOTHING) -> Listing:
            found = await source.list_ready(now, take, known)
            return replace(found, at=machine.right.now().replace(microsecond=0) if dated else None)

        return overridden(source, list_ready=list_ready)

    rig.wraps.source = telling
    rig.mail()
    rig.mail(reset=True, lives=timedelta(hours=19))
    return machine


async def _start(rig: Rig, machine: Machine) -> None:
    rig.clock = ShippedClock(machine.right)
    await rig.start()


async def from_the_start(rig: Rig, shift: Shift) -> None:
    """Have the machine's clock be wrong when the sender starts for the first time."""
    machine = _prepare(rig)
    machine.shift(shift)
    await _start(rig, machine)
    await rig.drained()


async def during_a_deferral(rig: Rig, shift: Shift, *, restart: bool) -> None:
    """Have the clock jump while mail waits for its retry; the sender runs, or starts with the wrong clock."""
    machine = _prepare(rig)
    rig.relay.behave = deferring(2)
    await _start(rig, machine)
    await rig.changes.until(
        lambda: any(said.step == "RCPT" for one in rig.relay.connections for said in one.commands)
    )
    if restart:
        await rig.stop()
    machine.shift(shift)
    if restart:
        await _start(rig, machine)
    await rig.drained()


async def alone(rig: Rig, shift: Shift) -> None:
    """Have the sender start again with the wrong clock, and nobody there to tell it so for a while."""
    machine = _prepare(rig)
    rig.relay.behave = deferring(2)
    await _start(rig, machine)
    await rig.changes.until(
        lambda: any(said.step == "RCPT" for one in rig.relay.connections for said in one.commands)
    )
    await rig.stop()
    machine.shift(shift)
    met = Met(rig, reset).at("", 8)
    await _start(rig, machine)
    await met.often(4)
    rig.api.mend()
    await rig.drained()


async def silent(rig: Rig) -> None:
    """Have the machine be right, and the server tell no time at all."""
    machine = _prepare(rig, dated=False)
    await _start(rig, machine)
    await rig.drained()


async def restless(rig: Rig) -> None:
    """Have somebody set the clock forth and back while the sender runs."""
    machine = _prepare(rig)
    rig.relay.behave = deferring(6)
    await _start(rig, machine)
    for number, shift in enumerate(SHIFTS.values(), 1):
        machine.shift(shift)
        polls = len(rig.api.calls)
        await rig.changes.until(lambda polls=polls: len(rig.api.calls) > polls, 2.0)  # type: ignore[misc]  # bound now
        machine.shift(timedelta(0) if number % 2 else shift)
    await rig.drained()


FAMILY = Family("F12", "the machine's clock", cases, slice_size=18)
