"""A loop that hangs is found; one that waits as long as it said is not."""

import asyncio

from mail_sender.sender.heartbeat import TOLERANCE, Heartbeats
from tests.support.fake_clock import FakeClock
from tests.support.samples import NOW, A, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME


async def test_a_loop_hangs_when_it_is_later_than_it_said() -> None:
    """A little lateness is the machine's; one that ended, or has not begun, is never late."""
    clock = FakeClock(NOW)
    heartbeats = Heartbeats()
    slow, ended, _ = (heartbeats.of(name, clock) for name in ("slow", "ended", "not begun"))
    slow.within(60)
    ended.within(1)
    ended.ended()
    await asyncio.sleep(60 + TOLERANCE - 0.1)
    assert heartbeats.late() == []
    await asyncio.sleep(1)
    assert [late.loop for late in heartbeats.late()] == ["slow"]
    slow.within(60)
    assert heartbeats.late() == []


async def test_an_idle_sender_beats() -> None:
    """For hours, on a schedule of its own, and after its stop."""
    async with bench(message(A), schedule="@hourly") as table:
        for _ in range(20):
            await table.run(600)
            assert table.heartbeats.late() == []
        await table.stop()
        await asyncio.sleep(10_000)
        assert table.heartbeats.late() == []


async def test_a_poll_that_never_ends_is_found() -> None:
    """The other loops are in time meanwhile."""
    async with bench(message(A)) as table:
        await table.run(10)
        table.source.list_ready = lambda *_: asyncio.get_running_loop().create_future()  # type: ignore[method-assign, assignment]  # hangs
        await table.run(3600)
        assert [late.loop for late in table.heartbeats.late()] == ["poll"]
        del table.source.list_ready
        await table.kill()
        table.heartbeats = Heartbeats()
