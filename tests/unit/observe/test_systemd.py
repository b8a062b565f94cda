"""When systemd is told what: ready, status, watchdog and the end, from what the sender knows of itself."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import cast

import pytest

from mail_sender.observe.health import Health
from mail_sender.observe.reporter import Reporter
from mail_sender.observe.sd_notify import Systemd
from mail_sender.observe.status import Status
from mail_sender.observe.systemd import Service, status_line
from mail_sender.sender.heartbeat import Late
from tests.support.fake_clock import FakeClock
from tests.support.samples import NOW
from tests.support.statuses import SECRET, status
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME

WATCHDOG = 10.0
ALL_WELL = "STATUS=all well; 2 queued"
WELL = Health([], poll_was_good=True, relays=[])


class Heard(Systemd):
    """A service manager that keeps what it hears, each with its second."""

    def __init__(self, watchdog_seconds: float | None = WATCHDOG) -> None:
        super().__init__({"NOTIFY_SOCKET": "/run/notify"})
        self.watchdog_seconds = watchdog_seconds
        self.heard: list[tuple[float, str]] = []
        self.is_deaf = False

    def _send(self, *assignments: str) -> bool:
        if not self.is_deaf:
            self.heard.append((asyncio.get_running_loop().time(), assignments[0]))
        return not self.is_deaf

    def times(self, start: str) -> list[float]:
        """Return when it heard what begins so."""
        return [at for at, what in self.heard if what.startswith(start)]

    def said(self, start: str = "") -> list[str]:
        """Return what it heard that begins so."""
        return [what for _, what in self.heard if what.startswith(start)]


class Known:
    """Stands in for the reporter; `hangs` has reading the status wait for ever."""

    def __init__(self) -> None:
        self.known = replace(WELL, poll_was_good=None)
        self.status_known: Status = status()
        self.hangs = False

    def health(self) -> Health:
        return self.known

    def late(self) -> list[Late]:
        return list(self.known.late)

    async def status(self) -> Status:
        if self.hangs:
            await asyncio.Event().wait()
        return self.status_known


class Bench:
    """A service with what it knows and whom it tells."""

    def __init__(self, systemd: Heard) -> None:
        self.systemd, self.known, self.stop = systemd, Known(), asyncio.Event()
        self.service = Service(systemd, FakeClock())
        self.running = asyncio.ensure_future(self.service.run(self.stop, 8.0))

    def works(self) -> None:
        """Have the sender begin to work."""
        self.service.reporter = cast("Reporter", self.known)


@contextmanager
def service(systemd: Heard | None = None) -> Iterator[Bench]:
    """Give a service that runs."""
    bench = Bench(systemd or Heard())
    yield bench
    bench.running.cancel()


@pytest.mark.parametrize("was_good", [True, False])
async def test_ready_is_a_sender_whose_first_poll_has_ended(was_good: bool) -> None:
    """Well or not; until then the start is extended. Ready is said once, and again until it got through."""
    with service() as bench:
        bench.works()
        await asyncio.sleep(25.0)
        assert bench.systemd.said("READY") == []
        assert bench.systemd.times("EXTEND") == [0.0, 10.0, 20.0]
        bench.known.known = replace(WELL, poll_was_good=was_good)
        bench.systemd.is_deaf = True
        await asyncio.sleep(5.0)
        bench.systemd.is_deaf = False
        await asyncio.sleep(60.0)
        assert bench.systemd.times("READY") == [30.0]
        assert len(bench.systemd.times("EXTEND")) == 3


async def test_a_sender_that_stands_by_is_ready_and_says_so() -> None:
    """Its status names who works; when it takes over, it shows its own."""
    with service() as bench:
        bench.service.standing_by = "process 7 on host"
        await asyncio.sleep(5.0)
        assert bench.systemd.times("READY") == [0.0]
        assert bench.systemd.said("STATUS") == ["STATUS=stands by: process 7 on host has the ledger"]
        bench.service.standing_by = None
        bench.known.known = WELL
        bench.works()
        await asyncio.sleep(5.0)
        assert bench.systemd.said("STATUS")[1:] == [ALL_WELL]
        assert bench.systemd.said("READY") == ["READY=1"]


@pytest.mark.parametrize("seconds", [0.5, 4.0, 10.0, 600.0])
async def test_the_watchdog_hears_of_it_by_half_its_time_while_all_loops_turn(seconds: float) -> None:
    """While one hangs it hears nothing, and the start is not extended either; a ledger that hangs does not matter here."""
    with service(Heard(seconds)) as bench:
        bench.works()
        bench.known.hangs = True
        await asyncio.sleep(3 * seconds)
        beats = bench.systemd.times("WATCHDOG")
        assert beats[0] == 0.0
        assert all(0 < after - before <= seconds / 2 for before, after in pairwise(beats))
        assert len(beats) <= 7
        bench.known.known = replace(WELL, late=[Late("poll", 16.0)])
        bench.systemd.heard.clear()
        await asyncio.sleep(3 * seconds)
        assert bench.systemd.said("WATCHDOG") + bench.systemd.said("EXTEND") == []


async def test_the_status_is_sent_when_it_changes() -> None:
    """A fault at the next look, counts within ten seconds, and nothing while all stays as it is."""
    with service() as bench:
        bench.known.known = WELL
        bench.works()
        await asyncio.sleep(60.5)
        assert bench.systemd.said("STATUS") == [ALL_WELL]
        bench.service.is_rejected = lambda: True
        await asyncio.sleep(1.0)
        rejected = (
            f"STATUS=the changed configuration has faults and is not in use; {ALL_WELL.removeprefix('STATUS=')}"
        )
        assert bench.systemd.said("STATUS")[1:] == [rejected]
        bench.known.status_known = status(fault="auth")
        await asyncio.sleep(10.0)
        assert len(bench.systemd.said("STATUS")) == 3


async def test_the_end_is_announced_however_it_comes() -> None:
    """By a signal, or because the work is over."""
    for by_signal in (True, False):
        with service() as bench:
            await asyncio.sleep(2.5)
            bench.stop.set() if by_signal else bench.running.cancel()
            await asyncio.sleep(0.1)
            assert bench.systemd.heard[-1][1] == "STOPPING=1"
            assert bench.running.done()


async def test_without_systemd_nothing_runs() -> None:
    """No loop turns for nobody."""
    await Service(Systemd({}), FakeClock()).run(asyncio.Event(), 8.0)


async def test_the_line_names_faults_and_their_start_but_no_detail() -> None:
    """A detail may quote a relay; the line stands where everybody on the machine can read it."""
    found = status(fault="auth")
    line = f"fault: relay (auth) since {NOW:%Y-%m-%d %H:%M} UTC"
    assert SECRET in found.conditions[0].detail
    assert status_line(found) == f"{line}; 2 queued"
    assert status_line(replace(found, queue=None)) == line
