"""The listener of health and metrics in this process, and clients that are slow, rude or hostile."""

import asyncio
import json
import socket
import stat
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.ledger.base import Entry
from mail_sender.observe.config import ObserveConfig
from mail_sender.observe.listener import Listener
from mail_sender.observe.place import Place, TcpPlace, UnixPlace
from mail_sender.observe.status import Status
from mail_sender.observe.watched import Watched
from mail_sender.sender.heartbeat import Late
from mail_sender.web import server
from tests.support.statuses import SECRET, status

ANY_PORT = TcpPlace("127.0.0.1", 0)
DEADLINE = 10.0


@dataclass
class Shown:
    """A listener, what it logged, and what it shows."""

    listener: Listener
    log: list[Any]
    late: list[Late] = field(default_factory=list)
    status: Status = field(default_factory=status)
    delay: float = 0.0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    cut_off: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> Status:
        self.asked.set()
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cut_off.set()
            raise
        return self.status

    async def last(self) -> list[Entry]:
        return []

    def logged(self, name: str) -> list[Any]:
        return [event for event in self.log if event["event"] == name]

    @property
    def port(self) -> int:
        return int(self.logged("observe_listening")[-1]["at"].rpartition(":")[2])

    async def send(self, octets: bytes, *, half_closed: bool = False) -> tuple[int, dict[str, str], str]:
        """Send octets, read to the end of the connection, and return status, headers and body."""
        return await exchange(*await asyncio.open_connection("127.0.0.1", self.port), octets, half_closed=half_closed)

    async def get(self, path: str, host: str = "localhost") -> tuple[int, dict[str, str], str]:
        return await self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    async def health(self, name: str) -> tuple[int, Any]:
        code, _, body = await self.get(f"/health/{name}")
        return code, json.loads(body)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: bytes, *, half_closed: bool = False
) -> tuple[int, dict[str, str], str]:
    async with asyncio.timeout(DEADLINE):
        writer.write(octets)
        if half_closed:
            writer.write_eof()
        answer = (await reader.read()).decode()
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return (
        int(first.split()[1]),
        {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)},
        body,
    )


@asynccontextmanager
async def listening(place: Place | None = ANY_PORT, clock: SteadyClock | None = None) -> AsyncIterator[Shown]:
    with capture_logs() as log:
        listener = Listener(clock or SteadyClock())
        shown = Shown(listener, log)
        listener.watched = Watched(lambda: shown.late, shown.ask, shown.last)
        await listener.follow(ObserveConfig(place))
        try:
            yield shown
        finally:
            listener.close()


async def test_alive_and_ready_are_answered_with_their_reason() -> None:
    """A loop that hangs is not alive; what a status calls not ready is 503; no text of others, no secret is told."""
    async with listening() as shown:
        assert await shown.health("alive") == (200, {"alive": True, "why": []})
        assert await shown.health("ready") == (200, {"ready": True, "why": [], "warnings": []})
        shown.late = [Late("poll", 31.4)]
        shown.status = status(ready=False, breaker="open", fault="auth")
        assert await shown.health("alive") == (503, {"alive": False, "why": ["the loop poll is 31 s late"]})
        code, why = await shown.health("ready")
        assert code == 503
        assert why["ready"] is False
        assert why["why"][0].startswith("relay: auth since 20")
        assert "the breaker of the relay is open" in why["why"]
        assert SECRET not in json.dumps(why)


async def test_a_sender_that_stands_by_is_alive_and_not_ready() -> None:
    """An orchestrator must not kill it, nor count on it."""
    async with listening() as shown:
        shown.listener.watched = None
        assert (await shown.health("alive"))[0] == 200
        code, why = await shown.health("ready")
        assert (code, "stands by" in why["why"][0]) == (503, True)


async def test_a_ledger_that_hangs_makes_it_not_ready_and_leaves_it_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk is no reason to kill a process that sends mail."""
    monkeypatch.setattr("mail_sender.observe.watched.STATUS_SECONDS", 0.05)
    async with listening() as shown:
        shown.delay = 60
        assert (await shown.health("alive"))[0] == 200
        code, why = await shown.health("ready")
        assert (code, why["why"]) == (503, ["the ledger did not answer in time"])


HEAD = "Host: localhost\r\n"


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (f"GET /health/alive HTTP/1.1\r\n{HEAD}\r\n", 200),
        (f"HEAD /health/alive HTTP/1.1\r\n{HEAD}\r\n", 200),
        ("GET /health/alive HTTP/1.0\r\n\r\n", 200),
        ("GET /health/alive HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 200),
        ("GET /health/alive HTTP/1.1\r\nHost: LOCALHOST:9310\r\n\r\n", 200),
        ("GET /health/alive HTTP/1.1\r\nHost: [::1]:9310\r\n\r\n", 200),
        ("GET /health/alive HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET /health/alive HTTP/1.1\r\nHost: evil.example:9310\r\n\r\n", 421),
        ("GET /health/alive HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421),
        ("GET /health/alive HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
        ("GET /health/alive HTTP/1.1\r\nHost: \r\n\r\n", 421),
        ("GET /health/alive HTTP/1.1\r\n\r\n", 400),
        (f"GET /health/alive HTTP/1.1\r\n{HEAD}Host: evil.example\r\n\r\n", 400),
        (f"POST /health/alive HTTP/1.1\r\n{HEAD}Content-Length: 4000000000\r\n\r\nxxxx", 405),
        (f"DELETE /health/ready HTTP/1.1\r\n{HEAD}\r\n", 405),
        (f"GET /health/alive/ HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /../etc/passwd HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET http://evil.example/ HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"CONNECT evil.example:443 HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /health/alive HTTP/1.1\r\n{HEAD}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200),
        ("\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
        ("EHLO client.example\r\n\r\n", 400),
    ],
)
async def test_every_request_gets_one_response_and_the_end_of_its_connection(octets: str, code: int) -> None:
    """Whatever is asked: a status, no traceback, a strict policy, and nothing that stays open."""
    async with listening() as shown:
        found, headers, body = await shown.send(octets.encode())
        assert found == code
        assert headers["connection"] == "close"
        assert code == 400 or (headers["content-security-policy"], "date" in headers) == ("default-src 'none'", True)
        assert not octets.startswith("HEAD") or body == ""
        assert "Traceback" not in body
        assert shown.logged("observe_listening") == shown.log


@pytest.mark.parametrize("head", [f"/{'x' * 1_000_000} HTTP/1.1\r\n", f"/ HTTP/1.1\r\n{'x-tag: 1' * 10_000}"])
async def test_a_head_that_does_not_end_is_cut_off(head: str) -> None:
    """Ten thousand headers, a URL of a megabyte: 16 KiB are read, and nobody else is kept waiting."""
    async with listening() as shown:
        with suppress(ConnectionError):  # it closes while we still write
            code, _, _ = await shown.send(f"GET {head}".encode())
            assert code == 400
        assert (await shown.health("alive"))[0] == 200


async def test_what_follows_a_head_is_not_kept() -> None:
    """What has no end, sent while the response takes its time, costs no memory."""
    async with listening() as shown, asyncio.timeout(DEADLINE):
        shown.delay = 3600
        _, writer = await asyncio.open_connection("127.0.0.1", shown.port)
        writer.write(f"GET /health/ready HTTP/1.1\r\n{HEAD}\r\n".encode())
        await shown.asked.wait()
        tracemalloc.start()
        for _ in range(500):
            writer.write(b"x" * 65_536)
            await writer.drain()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 2_000_000
        writer.close()


async def test_an_address_of_the_network_is_answered_under_any_name() -> None:
    """Nobody knows the names under which it is reached; on loopback they are known."""
    async with listening(TcpPlace("0.0.0.0", 0)) as shown:
        assert (await shown.get("/health/alive", "sender.example:9310"))[0] == 200


async def test_a_client_that_has_said_all_gets_its_response() -> None:
    """`printf ... | nc -N` closes its half, and waits."""
    async with listening() as shown:
        shown.delay = 0.05
        code, _, _ = await shown.send(f"GET /health/ready HTTP/1.1\r\n{HEAD}\r\n".encode(), half_closed=True)
        assert code == 200


async def test_slow_and_silent_clients_are_dropped_and_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 idle connections, and one that drips its head: the oldest make room, the rest has its deadline."""
    monkeypatch.setattr(server, "SECONDS", 1.5)
    async with listening() as shown, asyncio.timeout(DEADLINE):
        silent = [await asyncio.open_connection("127.0.0.1", shown.port) for _ in range(200)]
        silent[-1][1].write(b"GET /health/alive HTTP/1.1\r\nHost: local")
        assert (await shown.health("alive"))[0] == 200
        left = await asyncio.gather(*(reader.read() for reader, _ in silent), return_exceptions=True)
        assert {one for one in left if isinstance(one, bytes)} <= {b""}
        for _, writer in silent:
            writer.close()


async def test_the_oldest_connection_makes_room_for_one_too_many() -> None:
    """Whoever opens 100 connections and says nothing holds 64 of them; the newest is answered."""
    async with listening() as shown, asyncio.timeout(DEADLINE):
        silent = [await asyncio.open_connection("127.0.0.1", shown.port) for _ in range(100)]
        assert await asyncio.gather(*(reader.read() for reader, _ in silent[: 100 - server.MOST_CONNECTIONS])) == [
            b""
        ] * (100 - server.MOST_CONNECTIONS)
        assert (await exchange(*silent[-1], f"GET /health/alive HTTP/1.1\r\n{HEAD}\r\n".encode()))[0] == 200
        for _, writer in silent:
            writer.close()


async def test_a_stop_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that is being made, and a client that says nothing, end with the listener, at once."""
    monkeypatch.setattr("mail_sender.observe.watched.STATUS_SECONDS", 3600)
    async with listening() as shown, asyncio.timeout(DEADLINE):
        shown.delay = 3600
        reader, writer = await asyncio.open_connection("127.0.0.1", shown.port)
        writer.write(f"GET /health/ready HTTP/1.1\r\n{HEAD}\r\n".encode())
        silent, other = await asyncio.open_connection("127.0.0.1", shown.port)
        await shown.asked.wait()
        shown.listener.close()
        assert (await reader.read(), await silent.read()) == (b"", b"")
        writer.close()
        other.close()
        await shown.cut_off.wait()


async def test_a_change_moves_the_listener_and_the_same_again_leaves_it() -> None:
    """Off, elsewhere, the same: no restart, and nobody who is being answered is cut off for nothing."""
    async with listening() as shown:
        first = shown.port
        await shown.listener.follow(ObserveConfig(ANY_PORT))
        assert len(shown.logged("observe_listening")) == 1
        await shown.listener.follow(ObserveConfig(TcpPlace("127.0.0.1", free_port())))
        assert (await shown.health("alive"))[0] == 200
        await shown.listener.follow(ObserveConfig(None))
        for port in (first, shown.port):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


class Brisk(SteadyClock):
    """A clock whose waits take no time, and are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0
        self.third = asyncio.Event()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        self.waits += 1
        if self.waits == 3:
            self.third.set()
        return await super().wait(event, 0.001)


@pytest.mark.parametrize("kind", ["port", "socket"])
async def test_a_place_that_is_in_use_is_said_once_and_taken_when_it_is_free(kind: str, tmp_path: Path) -> None:
    """Mail goes on; a sender that stood by gets the place of the one that it follows."""
    taken = socket.socket(socket.AF_UNIX if kind == "socket" else socket.AF_INET)
    taken.bind(str(tmp_path / "s") if kind == "socket" else ("127.0.0.1", 0))
    taken.listen()
    place = UnixPlace(tmp_path / "s") if kind == "socket" else TcpPlace(*taken.getsockname())
    clock = Brisk()
    async with listening(place, clock) as shown, asyncio.timeout(DEADLINE):
        await clock.third.wait()
        (fault,) = shown.log
        assert (fault["event"], fault["kind"]) == ("observe_down", "eaddrinuse")
        assert f"cannot listen at {place}: address already in use; another program listens there" in fault["message"]
        taken.close()
        assert shown.listener._trying is not None
        await shown.listener._trying
        assert [event["event"] for event in shown.log] == ["observe_down", "observe_up", "observe_listening"]


def in_no_folder(folder: Path) -> Place:
    return UnixPlace(folder / "none" / "s")


def over_a_file(folder: Path) -> Place:
    (folder / "s").write_text("mine")
    return UnixPlace(folder / "s")


def at_nobodys_address(_: Path) -> Place:
    return TcpPlace("192.0.2.1", 9310)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (in_no_folder, "no such file or directory; the folder does not exist: create it"),
        (over_a_file, "file exists; a file that is no socket is in the way: move it"),
        (at_nobodys_address, "this machine has no such address: correct [observe] listen"),
    ],
)
async def test_a_place_that_cannot_be_used_is_named_with_its_cure(
    make: Callable[[Path], Place], words: str, tmp_path: Path
) -> None:
    """What stands there stays; one line, and the next change of the configuration counts."""
    place = make(tmp_path)
    async with listening(place) as shown:
        (fault,) = shown.log
        assert words in fault["message"]
        await shown.listener.follow(ObserveConfig(place))
        assert shown.log == [fault]
        await shown.listener.follow(ObserveConfig(ANY_PORT))
        assert (await shown.health("alive"))[0] == 200
    assert not (tmp_path / "s").exists() or (tmp_path / "s").read_text() == "mine"


async def test_a_unix_socket_is_for_owner_and_group_and_goes_with_the_listener(tmp_path: Path) -> None:
    """One that a killed sender left behind is replaced; a Host header means nothing there."""
    path = tmp_path / "observe.sock"
    with closing(socket.socket(socket.AF_UNIX)) as left_behind:
        left_behind.bind(str(path))
    async with listening(UnixPlace(path)) as shown:
        assert shown.logged("observe_listening")[0]["at"] == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        request = b"GET /health/alive HTTP/1.1\r\nHost: anything\r\n\r\n"
        assert (await exchange(*await asyncio.open_unix_connection(str(path)), request))[0] == 200
    assert not path.exists()
