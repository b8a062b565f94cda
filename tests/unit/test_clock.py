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


@pytest.mark.parametrize("off", [DAY, -DAY, 2 * TOLERANCE, TOLERANCE + SECOND, -2 * TOLERANCE])
async def test_the_servers_time_counts_and_the_machines_error_is_returned(off: timedelta) -> None:
    """Ahead is positive. A machine that is behind is behind what the server calls due."""
    clock = FakeClock(NOW, off)
    assert clock.learn(clock.true, clock.true - SECOND) == off
    assert clock.now() == clock.true
    await asyncio.sleep(10)
    assert clock.now() == clock.true


@pytest.mark.parametrize("off", [timedelta(0), TOLERANCE, -TOLERANCE, SECOND])
async def test_a_small_difference_moves_nothing(off: timedelta) -> None:
    """An answer takes a while, and names whole seconds: the clock does not jump with them."""
    clock = FakeClock(NOW, off)
    assert clock.learn(clock.true) == off
    assert clock.now() == NOW + off


FRESH = timedelta(minutes=3)
"""How old the newest message is."""


@pytest.mark.parametrize("wrong", [2 * HOUR, -2 * HOUR, 400 * DAY, -400 * DAY])
@pytest.mark.parametrize("newest", [FRESH, 3 * HOUR])
async def test_a_servers_time_that_is_wrong_does_not_count_beside_a_machine_that_is_right(
    wrong: timedelta, newest: timedelta
) -> None:
    """Ahead: the earlier time counts. Behind: the server's own messages are newer than it, once one is."""
    clock = FakeClock(NOW)
    for _ in range(5):
        clock.learn(clock.true + wrong, clock.true - newest)
        if wrong > timedelta(0) or newest < -wrong:
            assert clock.now() == clock.true
        await asyncio.sleep(300)
    clock.learn(clock.true + wrong, clock.true - FRESH)
    assert clock.now() == clock.true
    clock.learn(clock.true + wrong, None)  # what was certain stays so
    assert clock.now() == clock.true


@pytest.mark.parametrize("wrong", [2 * HOUR, -2 * HOUR, DAY, -DAY])
async def test_a_time_that_jumps_away_from_what_both_agreed_on_does_not_count(wrong: timedelta) -> None:
    """The server's or the machine's, forwards or back, although there is no message to prove it."""
    for is_machine in (True, False):
        clock = FakeClock(NOW)
        clock.learn(clock.true)
        await asyncio.sleep(600)
        clock.off = wrong if is_machine else timedelta(0)
        clock.learn(clock.true + (timedelta(0) if is_machine else wrong))
        assert clock.now() == clock.true


@pytest.mark.parametrize("off", [2 * HOUR, -2 * HOUR])
async def test_where_both_are_set_right_together_they_count(off: timedelta) -> None:
    """Server and sender often run on one machine: what they agreed on before is no proof against both of them."""
    clock = FakeClock(NOW, off)
    clock.learn(clock.true + off, clock.true + off - FRESH)
    assert clock.now() == clock.true + off
    clock.off = timedelta(0)
    for newest in (clock.true - FRESH, None):
        clock.learn(clock.true, newest)
        assert clock.now() == clock.true


@pytest.mark.parametrize("off", [HOUR, -HOUR])
async def test_an_entry_from_beyond_both_times_proves_nothing(off: timedelta) -> None:
    """One strange `send_after` does not move the clock, nor does it hide a good one from then on."""
    clock = FakeClock(NOW, off)
    clock.learn(clock.true, clock.true + 400 * DAY)
    assert clock.now() == min(clock.true, clock.true + off)
    clock.learn(clock.true, clock.true - SECOND)
    assert clock.now() == clock.true


async def test_a_server_that_tells_no_time_any_more_leaves_the_one_that_counted() -> None:
    """A proxy may strip it from some answers."""
    clock = FakeClock(NOW, off=DAY)
    clock.learn(clock.true)
    await asyncio.sleep(60)
    assert clock.learn(None) == timedelta(0)
    assert clock.now() == clock.true


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
