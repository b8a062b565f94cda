"""The relay's addresses, and which of them takes a TCP connection first (RFC 8305, "Happy Eyeballs").

The standard library's happy eyeballs (`loop.create_connection`) are not used, because no verdict could be made of
what they raise: they make one plain `OSError`, without a number, of the errors of several addresses. They also look
the name up themselves, so that a name's failure could not be told from an address's.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

from mail_sender.relay import deadlines
from mail_sender.relay.relay_url import is_path

Address = tuple[Any, Any, int, str, Any]
"""What `getaddrinfo` gives: family, kind, protocol, canonical name, and where to connect to: a path, for a socket."""

_Made = TypeVar("_Made")

NEXT_AFTER = 0.25
"""Seconds after which the next address is tried beside one that has not answered (RFC 8305, section 5)."""


class NotLocal(OSError):
    """A name that is to be reached without TLS has an address that is not this machine's; the text names it."""


async def of(host: str, port: int, seconds: float) -> list[Address]:
    """Return the addresses of a name, looked up within so many seconds. Raises `OSError`, and `ValueError`."""
    if is_path(host):
        return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", host)]
    async with deadlines.within(seconds):
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def shown(address: Address) -> str:
    """Return an address as people write it: without the port, or a socket's path."""
    place = address[4]
    return place if isinstance(place, str) else str(place[0])


def require_local(found: Sequence[Address]) -> None:
    """Raise `NotLocal` unless every address is this machine's own: loopback, or a unix socket."""
    for address in found:
        place = shown(address)
        if address[0] != socket.AF_UNIX and not ipaddress.ip_address(place.partition("%")[0]).is_loopback:
            raise NotLocal(place)


def in_order(found: Sequence[Address], good: Address | None) -> list[Address]:
    """Return the addresses as they are to be tried: the good one, then the families in turn (RFC 8305, section 4)."""
    families = list(dict.fromkeys(address[0] for address in found))
    columns = [[address for address in found if address[0] == family] for family in families]
    in_turn = [address for address in chain.from_iterable(zip_longest(*columns)) if address is not None]
    return sorted(in_turn, key=lambda address: address != good)


async def connected(waiting: list[Address]) -> tuple[socket.socket, Address]:
    """Return a connected socket, and its address.

    An address leaves `waiting` when its turn comes. Those that have not answered when another one has go back to the
    front. Raises the last address's `OSError` as it is if there is none; the caller sets the time for all of them.
    """
    error: BaseException = OSError("the name has no address")
    trying: dict[asyncio.Future[socket.socket], Address] = {}
    try:
        while waiting or trying:
            if waiting:
                address = waiting.pop(0)
                trying[asyncio.ensure_future(_connected(address))] = address
            wait = NEXT_AFTER if waiting else None
            done, _ = await asyncio.wait(trying, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                address = trying.pop(one)
                failure = one.exception()
                if failure is None:
                    waiting[:0] = trying.values()
                    return one.result(), address
                error = failure
        raise error
    finally:
        await give_up(trying, socket.socket.close)


async def _connected(address: Address) -> socket.socket:
    family, kind, number, _, place = address
    candidate = socket.socket(family, kind, number)
    try:
        candidate.setblocking(False)
        await asyncio.get_running_loop().sock_connect(candidate, place)
    except BaseException:
        candidate.close()
        raise
    return candidate


async def give_up(running: "Iterable[asyncio.Future[_Made]]", end: Callable[[_Made], None]) -> None:
    """Cancel what is running, and end what it made all the same."""
    futures = list(running)
    for one in futures:
        one.cancel()
    for made in await asyncio.gather(*futures, return_exceptions=True):
        if not isinstance(made, BaseException):
            end(made)
