"""Who keeps a connection if there are too many: whoever has asked for something, and the newest."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from mail_sender.web import server
from mail_sender.web.server import _Connection

MOST = 4
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Transport(asyncio.Transport):
    """A connection that is lost only when the loop comes round to it, as a real one."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


def connect(open_ones: dict[Any, None], count: int) -> list[Transport]:
    """Make connections in one turn of the loop."""
    transports = [Transport() for _ in range(count)]
    for transport in transports:
        _Connection(never, open_ones).connection_made(transport)
    return transports


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be few places."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", MOST)


async def test_a_burst_of_connections_gets_no_more_places_than_there_are() -> None:
    """Each of them takes a descriptor, which the relay and the ledger need."""
    open_ones: dict[Any, None] = {}
    transports = connect(open_ones, 50)
    assert [transport.aborted for transport in transports] == [True] * (50 - MOST) + [False] * MOST
    assert len(open_ones) == MOST


async def test_whoever_says_nothing_goes_before_whoever_has_asked() -> None:
    """A scrape that is being answered is not cut off by connections that nobody uses."""
    open_ones: dict[Any, None] = {}
    asked, *_ = connect(open_ones, MOST)
    first = next(iter(open_ones))
    first.data_received(REQUEST)
    connect(open_ones, 20)
    assert not asked.aborted
    for one in [*open_ones]:
        one.data_received(REQUEST)
    connect(open_ones, 1)
    assert asked.aborted
    for one in (first, *open_ones):
        one.connection_lost(None)
