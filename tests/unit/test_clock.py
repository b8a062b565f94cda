"""The steady clock: it runs on whatever is done to the machine's, and takes the server's time."""

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta

import pytest

from mail_sender.clock import TOLERANCE, SteadyClock
from tests.support.fake_clock import FakeClock
from tests.support.samples import DAY, HOUR, NOW, SECOND
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME


async def test_it_begins_with_the_machines_time_and_runs_with_the_monotonic_clock() -> None:
    """A second is a second."""
    clock = FakeClock(NOW, off=HOUR)
    assert clock.now() == NOW + HOUR
    await asyncio.sleep(90)
    assert clock.now() == NOW + HOUR + 90 * SECOND


@pytest.mark.parametrize("step", [DAY, -DAY, 400 * DAY, -SECOND])
async def test_who_sets_the_machines_clock_does_not_set_this_one(step: timedelta) -> None:
    """Neither forwards nor back."""
    clock = FakeClock(NOW)
    clock.off = step
    await asyncio.sleep(10)
    assert clock.now() == NOW + 10 * SECOND


@pytest.mark.parametrize("off", [DAY, -DAY, 2 * TOLERANCE, TOLERANCE + SECOND])
async def test_the_servers_time_counts_and_the_machines_error_is_returned(off: timedelta) -> None:
    """Ahead is positive."""
    clock = FakeClock(NOW, off)
    assert clock.learn(clock.true) == off
    assert clock.now() == clock.true
    await asyncio.sleep(10)
    assert clock.now() == clock.true


@pytest.mark.parametrize("off", [timedelta(0), TOLERANCE, -TOLERANCE, SECOND])
async def test_a_small_difference_moves_nothing(off: timedelta) -> None:
    """An answer takes a while, and names whole seconds: the clock does not jump with them."""
    clock = FakeClock(NOW, off)
    assert clock.learn(clock.true) == off
    assert clock.now() == NOW + off


async def test_a_server_without_a_time_leaves_the_machines() -> None:
    """Then there is nothing better."""
    clock = FakeClock(NOW)
    clock.off = HOUR
    assert clock.learn(None) == timedelta(0)
    assert clock.now() == NOW + HOUR


async def test_a_wait_ends_with_the_event_or_with_its_time() -> None:
    """And says which; a time that is over already is no wait."""
    clock, event = FakeClock(NOW), asyncio.Event()
    assert await clock.wait(event, 30.0) is False
    assert clock.monotonic() == 30.0
    asyncio.get_running_loop().call_later(5.0, event.set)
    assert await clock.wait(event, 30.0) is True
    assert clock.monotonic() == 35.0
    for seconds in (0.0, -1.0, math.inf):
        assert await clock.wait(event, seconds) is True
    assert await clock.wait(asyncio.Event(), -5.0) is False
    assert clock.monotonic() == 35.0


async def test_the_real_one_reads_the_machines_clocks() -> None:
    """The wall's and one that never jumps, counting sleep where there is such a one."""
    clock = SteadyClock()
    before = datetime.now(UTC)
    assert abs(clock.now() - before) < SECOND
    assert abs(clock.machine() - before) < SECOND
    assert clock.machine().tzinfo is UTC
    expected = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
    assert abs(clock.monotonic() - expected) < 1.0
