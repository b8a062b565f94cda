"""The relay's addresses: in order, side by side where one does not answer, and nothing stays open."""

import asyncio
import gc
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mail_sender.relay import addresses
from mail_sender.relay.addresses import Address

BRIEFLY = 0.05


def address(port: int, host: str = "127.0.0.1") -> Address:
    """Return what `getaddrinfo` says of a port of loopback."""
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


def named(name: str) -> Address:
    """Return an address of a family, such as `6a` or `4b`."""
    family = socket.AF_INET6 if name.startswith("6") else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, 465))


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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.1", "::1"])
def test_loopback_and_sockets_are_this_machine(host: str) -> None:
    """There mail may go without TLS."""
    addresses.require_local([address(25, host), (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", "/run/relay.sock")])


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::", "fe80::1%eth0", "2001:db8::1"])
def test_one_address_of_another_machine_is_enough_to_refuse_a_name(host: str) -> None:
    """Whichever of them would be tried."""
    with pytest.raises(addresses.NotLocal, match=host):
        addresses.require_local([address(25), address(25, host)])


async def port_of(waiting: list[Address]) -> int:
    """Return the port that was connected to."""
    connected, taken = await addresses.connected(waiting)
    with connected:
        assert taken[4] == connected.getpeername()
        return int(connected.getpeername()[1])


@pytest.mark.parametrize(
    ("found", "good", "tried"),
    [
        ("6a 6b 4a 4b", None, "6a 4a 6b 4b"),
        ("4a 4b 4c 6a", None, "4a 6a 4b 4c"),
        ("6a 6b 4a 4b", "4b", "4b 6a 4a 6b"),
        ("4a", "4b", "4a"),
        ("", None, ""),
    ],
)
def test_the_good_address_goes_first_and_the_families_in_turn(found: str, good: str | None, tried: str) -> None:
    """The resolver's order decides which family begins (RFC 8305, section 4)."""
    in_turn = addresses.in_order([named(name) for name in found.split()], named(good) if good else None)
    assert [one[4][0] for one in in_turn] == tried.split()


async def test_the_first_address_that_answers_is_taken(listening: Address, refusing: Address) -> None:
    """In order: the one that comes after it is not asked, and waits for its turn."""
    waiting = [refusing, listening, refusing]
    assert await port_of(waiting) == listening[4][1]
    assert waiting == [refusing]


async def test_a_silent_address_keeps_the_next_one_waiting_only_briefly(
    monkeypatch: pytest.MonkeyPatch, silent: Address, listening: Address
) -> None:
    """They are tried side by side; the silent one may have another turn."""
    monkeypatch.setattr(addresses, "NEXT_AFTER", BRIEFLY)
    waiting = [silent, listening]
    started = time.monotonic()
    assert await port_of(waiting) == listening[4][1]
    assert BRIEFLY <= time.monotonic() - started < 2
    assert waiting == [silent]


async def test_the_last_addresss_error_is_raised_as_it_is(refusing: Address) -> None:
    """Its class and its number are what the verdict is made of; several errors do not become another one."""
    with pytest.raises(ConnectionRefusedError) as caught:
        await addresses.connected([refusing, address(refusing[4][1], "127.0.0.2")])
    assert caught.value.errno is not None


async def test_a_name_without_an_address_is_an_error() -> None:
    """Which no resolver should give."""
    with pytest.raises(OSError, match="has no address"):
        await addresses.connected([])


@pytest.mark.parametrize("count", [1, 2])
async def test_who_is_cancelled_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, silent: Address, count: int
) -> None:
    """By a deadline or a stop: a socket that stayed open would be a ResourceWarning, which is an error here."""
    monkeypatch.setattr(addresses, "NEXT_AFTER", BRIEFLY / 5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(BRIEFLY):
            await addresses.connected([silent] * count)
    gc.collect()
