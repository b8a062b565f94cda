"""A step's deadline: what takes longer is given up, but what has arrived is read before time is judged."""

import asyncio
import socket

import pytest

from mail_sender.relay import deadlines
from tests.support.virtual_time import VIRTUAL_TIME


@VIRTUAL_TIME
async def test_what_takes_longer_is_given_up() -> None:
    """At the time that was set."""
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with deadlines.within(600):
            await asyncio.Event().wait()
    assert loop.time() == pytest.approx(600)


@VIRTUAL_TIME
async def test_what_is_in_time_is_left_alone() -> None:
    """Also afterwards."""
    async with deadlines.within(10):
        await asyncio.sleep(9)
    await asyncio.sleep(100)


async def test_what_arrived_while_the_process_was_stopped_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is ten minutes further when the loop comes to look at the socket."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        async with deadlines.within(300):
            reading = asyncio.ensure_future(loop.sock_recv(ours, 100))
            await asyncio.sleep(0)
            theirs.send(b"250 ok\r\n")
            now = loop.time()
            monkeypatch.setattr(loop, "time", lambda: now + 600)
            assert await reading == b"250 ok\r\n"
