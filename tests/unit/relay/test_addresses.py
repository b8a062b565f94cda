"""The relay's addresses: in order, each for its share of the time, and nothing stays open."""

import asyncio
import gc
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mail_sender.relay import addresses

Address = tuple[int, int, int, str, tuple[str, int]]
DEADLINE = 5.0


def address(port: int, host: str = "127.0.0.1") -> Address:
    """Return what `getaddrinfo` says of a port of loopback."""
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


@pytest.fixture
def listening() -> Iterator[Address]:
    """Give an address that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield address(server.getsockname()[1])


@pytest.fixture
def refusing() -> Address:
    """Give an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return address(server.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[Address]:
    """Give an address that answers nothing: its queue of connections is full, so the kernel drops what comes."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield address(server.getsockname()[1])


async def port_of(*tried: Address, seconds: float = DEADLINE) -> int:
    """Return the port that was connected to."""
    with await addresses.connected(tried, seconds) as found:
        return int(found.getpeername()[1])


async def test_the_first_address_that_answers_is_taken(listening: Address, refusing: Address) -> None:
    """In the resolver's order: the one that comes after it is not asked."""
    assert await port_of(refusing, listening, refusing) == listening[4][1]


async def test_a_silent_address_leaves_the_next_one_its_share(silent: Address, listening: Address) -> None:
    """Two addresses have a third of the time each, so that TLS and the greeting have the last one."""
    started = time.monotonic()
    assert await port_of(silent, listening, seconds=0.6) == listening[4][1]
    assert 0.2 <= time.monotonic() - started < DEADLINE


async def test_the_last_addresss_error_is_raised_as_it_is(silent: Address, refusing: Address) -> None:
    """Its class and its number are what the verdict is made of; several errors do not become another one."""
    with pytest.raises(ConnectionRefusedError) as caught:
        await addresses.connected([refusing, address(refusing[4][1], "127.0.0.2")], DEADLINE)
    assert caught.value.errno is not None
    with pytest.raises(TimeoutError):
        await addresses.connected([refusing, silent], 0.2)
    with pytest.raises(ConnectionRefusedError):
        await addresses.connected([silent, refusing], 0.2)


async def test_a_name_without_an_address_is_an_error() -> None:
    """Which no resolver should give."""
    with pytest.raises(OSError, match="has no address"):
        await addresses.connected([], DEADLINE)


@pytest.mark.parametrize("count", [1, 2])
async def test_who_is_cancelled_leaves_nothing_open(silent: Address, count: int) -> None:
    """By a deadline or a stop: a socket that stayed open would be a ResourceWarning, which is an error here."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await addresses.connected([silent] * count, DEADLINE)
    gc.collect()
