"""One connection of HTTP, octet by octet: what is an answer, what is none, and whether another request may follow."""

import asyncio
from typing import Any

import pytest

from mail_sender.source import http_connection
from mail_sender.source.http_connection import LARGEST_HEAD, MOST_UNREAD, Connection, Cut, NotHttp

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
MARKED = OK + b"content-length: 4\r\n\r\nnull"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, and whether the connection was ended or has to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_ended = self.is_paused = False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_ended = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


def opened(silent_seconds: float = 30) -> tuple[Connection, Transport]:
    connection, transport = Connection(silent_seconds), Transport()
    connection.connection_made(transport)
    return connection, transport


async def exchanged(
    connection: Connection, octets: bytes, size: int = 10**9, *, ends: bool = False
) -> tuple[int, bytes]:
    """Ask, and return status and body of what comes then, in pieces of so many octets."""

    def come() -> None:
        for at in range(0, len(octets), size):
            connection.data_received(octets[at : at + size])
        if ends:
            connection.eof_received()

    asyncio.get_running_loop().call_soon(come)
    head = await connection.ask(REQUEST)
    body = b""
    while part := await connection.part():
        body += part
    return head.status, body


ANSWERS = {
    "a length": (MARKED, False, (200, b"null"), True),
    "chunks": (CHUNKED + b"2;x=y\r\nnu\r\n2\r\nll\r\n0\r\nx-trailer: 1\r\n\r\n", False, (200, b"null"), True),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length: 4\r\n\r\nnull", False, (200, b"null"), True),
    "no body": (b"HTTP/1.1 204 x\r\n\r\n", False, (204, b""), True),
    "no body by nature": (b"HTTP/1.1 304 x\r\ncontent-length: 4\r\n\r\n", False, (304, b""), True),
    "a body that ends with the connection": (OK + b"\r\nnull", True, (200, b"null"), False),
    "a goodbye": (OK + b"connection: close\r\ncontent-length: 4\r\n\r\nnull", False, (200, b"null"), False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nnull", False, (200, b"null"), False),
    "HTTP/1.0 that stays": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 4\r\n\r\nnull", False, (200, b"null"), True,
    ),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + MARKED, False, (200, b"null"), True,
    ),
    "an answer and noise": (MARKED + b"noise", False, (200, b"null"), False),
    "an answer and another one": (MARKED + MARKED, False, (200, b"null"), False),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 10**9])
@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_read_however_it_comes(name: str, size: int) -> None:
    """Whole or octet by octet; whether another request may follow is what the answer, and what comes behind it, says."""
    octets, ends, expected, is_reusable = ANSWERS[name]
    connection, transport = opened()
    assert await exchanged(connection, octets, size, ends=ends) == expected
    assert connection.is_reusable is is_reusable
    assert transport.written == REQUEST
    if is_reusable:
        assert await exchanged(connection, MARKED, size) == (200, b"null")


NO_ANSWERS = {
    "length and chunks": OK + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 4\r\ncontent-length: 5\r\n\r\nnull",
    "a length below nothing": OK + b"content-length: -4\r\n\r\nnull",
    "another coding": OK + b"transfer-encoding: gzip\r\n\r\nnull",
    "two codings": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a length": CHUNKED + b"x\r\nnull\r\n0\r\n\r\n",
    "a chunk that is longer than it says": CHUNKED + b"2\r\nnull\r\n0\r\n\r\n",
    "a line that goes on": OK + b"x-a: b\r\n c\r\ncontent-length: 4\r\n\r\nnull",
    "a name with a space": OK + b"content-length : 4\r\n\r\nnull",
    "lines without CR": MARKED.replace(b"\r\n", b"\n"),
    "a NUL": OK + b"x-a: \0\r\ncontent-length: 4\r\n\r\nnull",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "another protocol, unasked": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + MARKED,
    "HTTP/2": MARKED.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a status of two digits": MARKED.replace(b"200", b"020"),
    "what a relay says": b"220 mx.example.com ESMTP\r\n",
    "a head without an end": OK + b"x-a: " + b"x" * LARGEST_HEAD,
    "a large head": OK + (b"x-a: " + b"x" * 1_000 + b"\r\n") * 110 + b"content-length: 4\r\n\r\nnull",
    "many headers": OK + b"x:\r\n" * 4_000 + b"\r\n",
    "interim answers without an end": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
    "a trailer without an end": CHUNKED + b"4\r\nnull\r\n0\r\nx-a: " + b"x" * (LARGEST_HEAD + 10_000),
    "an extension of a chunk without an end": CHUNKED + b"4;" + b"x" * (LARGEST_HEAD + 10_000),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
async def test_what_has_no_single_meaning_is_no_answer(name: str) -> None:
    """Nor is what has no end: the connection is closed at once, and nothing of it is kept."""
    connection, transport = opened()
    with pytest.raises(NotHttp):
        await exchanged(connection, NO_ANSWERS[name], 8_192)
    assert transport.is_ended
    assert not connection.is_reusable


@pytest.mark.parametrize("cut", [0, 9, len(MARKED) - 1])
async def test_an_answer_that_is_cut_is_none(cut: int) -> None:
    """Before it, in its head, in its body; so is one whose chunks have no end."""
    for octets in (MARKED[:cut], CHUNKED + b"4\r\nnull\r\n"):
        connection, _ = opened()
        with pytest.raises(Cut):
            await exchanged(connection, octets, ends=True)


async def test_octets_that_nobody_asked_for_are_no_answer() -> None:
    """Before the first request and between two: a server says so that it closes, and an attacker more than that."""
    for is_used, octets in ((False, MARKED), (True, MARKED), (True, b"\r\n")):
        connection, transport = opened()
        if is_used:
            await exchanged(connection, MARKED)
        assert connection.is_reusable
        connection.data_received(octets)
        assert not connection.is_reusable
        with pytest.raises(Cut):
            await connection.ask(REQUEST)
        assert transport.is_ended
        assert transport.written == REQUEST * is_used


async def test_a_connection_that_the_peer_has_closed_is_not_used_again() -> None:
    """Nothing is written to it."""
    connection, transport = opened()
    await exchanged(connection, MARKED)
    connection.eof_received()
    assert not connection.is_reusable
    with pytest.raises(Cut):
        await connection.ask(REQUEST)
    assert transport.written == REQUEST


async def test_what_broke_a_connection_is_the_cause_of_the_cut() -> None:
    """The fault of TLS that is behind it, for instance, which is said to the operator."""
    connection, _ = opened()
    asking = asyncio.ensure_future(connection.ask(REQUEST))
    await asyncio.sleep(0)
    connection.connection_lost(ConnectionResetError("x"))
    with pytest.raises(Cut) as caught:
        await asking
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_the_peer_waits_while_nobody_reads() -> None:
    """And goes on once somebody has read."""
    connection, transport = opened()
    asking = asyncio.ensure_future(connection.ask(REQUEST))
    await asyncio.sleep(0)
    connection.data_received(OK + b"content-length: %d\r\n\r\n" % (2 * MOST_UNREAD))
    for _ in range(2):
        assert not transport.is_paused
        connection.data_received(b"x" * MOST_UNREAD)
    await asking
    assert transport.is_paused
    assert len(await connection.part()) == MOST_UNREAD
    assert not transport.is_paused


async def test_a_server_that_says_nothing_is_waited_for_only_so_long() -> None:
    """The connection is closed: its answer may still come, to somebody else's question."""
    connection, transport = opened(0.01)
    with pytest.raises(TimeoutError):
        await connection.ask(REQUEST)
    assert transport.is_ended


async def test_headers_are_joined_and_have_small_letters() -> None:
    """What came several times is one value (RFC 9110, section 5.3); what comes in other places is left out."""
    connection, _ = opened()
    interim = b"HTTP/1.1 103 Early Hints\r\nX-A: 0\r\n\r\n"
    trailer = b"4\r\nnull\r\n0\r\nX-A: 3\r\n\r\n"
    asyncio.get_running_loop().call_soon(connection.data_received, interim + OK + b"X-A: 1\r\nx-a: \xff\r\nTransfer-Encoding: Chunked\r\n\r\n" + trailer)  # fmt: skip
    head = await connection.ask(REQUEST)
    assert head == http_connection.Head(200, {"x-a": "1, \xff", "transfer-encoding": "Chunked"})
