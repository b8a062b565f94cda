"""The control socket of a sender: who may ask, what it refuses, and how nobody holds it up. Real sockets."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.control import server, unix_socket
from mail_sender.control.command import Command
from mail_sender.control.connection import connect
from mail_sender.control.handler import Handler
from mail_sender.control.lookup import PAGE
from mail_sender.control.response import ResponseLine
from mail_sender.control.server import Control
from mail_sender.errors import Exit
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.state_folder import StateFolder
from tests.support.samples import message
from tests.unit.control.asking import LIST, asked, in_a_thread


def said(state: StateFolder, raw: bytes) -> ResponseLine:
    """Send what may be no command, and return the end of the response."""
    connection = connect(state)
    assert connection is not None
    with connection, connection.makefile("rb") as lines:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        end: ResponseLine = json.loads(lines.read())["end"]
        return end


@pytest.mark.usefixtures("listening")
async def test_a_command_is_answered_by_lines_that_end(state: StateFolder) -> None:
    """As the handler gives them."""
    entry, end = await in_a_thread(asked, state, LIST)
    assert entry["entry"]["status"] == "queued"
    assert end["end"] == {"exit": Exit.DONE, "message": None, "before": None}


@pytest.mark.usefixtures("listening")
async def test_a_full_page_crosses_the_socket_whole(state: StateFolder, ledger_on_disk: SqliteLedger) -> None:
    """Hundreds of lines, more than any buffer holds."""
    now = SteadyClock().now()
    await ledger_on_disk.admit(
        [message(delete_after=now + timedelta(days=1)) for _ in range(PAGE + 7)], now, timedelta(days=1)
    )
    lines = await in_a_thread(asked, state, LIST)
    assert len(lines) == PAGE + 1
    rest = await in_a_thread(asked, state, Command("list", before=lines[-1]["end"]["before"]))
    assert len(rest) == 8 + 1


@pytest.mark.usefixtures("listening")
async def test_the_socket_is_for_its_owner_alone(state: StateFolder) -> None:
    """Whoever can write to it can have mail sent."""
    status = state.control.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b'{"verb": "drop"}\n', b"\xff\xfe\x00\n",
        b"[" * 5000 + b"\n", b"x" * (unix_socket.LONGEST_COMMAND + 4096),
    ],
)  # fmt: skip
async def test_what_is_no_command_gets_a_sentence_and_harms_nobody(
    state: StateFolder, listening: Control, raw: bytes
) -> None:
    """The next command is answered as ever."""
    assert listening.handler is not None
    end = await in_a_thread(said, state, raw)
    assert end["exit"] == Exit.USAGE
    assert end["message"].startswith("that ")
    assert len(await in_a_thread(asked, state, LIST)) == 2


class Slow:
    """A handler that answers without end, until nobody listens."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def answer(self, command: Command) -> AsyncIterator[ResponseLine]:
        assert command.verb == "list"
        self.begun.set()
        try:
            while True:
                yield {"progress": {"done": 0, "total": 1, "padding": "x" * 60_000}}
                await asyncio.sleep(0)
        finally:
            self.ended.set()


async def test_a_command_whose_client_has_gone_before_it_begins_is_dropped(
    state: StateFolder, listening: Control
) -> None:
    """The client has reported that nobody answered: done later, it might be done twice."""
    begun = asyncio.Event()

    class Handler:
        async def answer(self, command: Command) -> AsyncIterator[ResponseLine]:
            begun.set() if command.verb == "flush" else None
            yield {"end": {"exit": 0, "message": None, "before": None}}

    listening.handler = Handler()  # type: ignore[assignment]  # only `answer` is called
    connection = connect(state)  # the loop does not turn before it is closed, as in a sender that hangs
    assert connection is not None
    connection.sendall(b'{"verb": "flush"}\n')
    connection.close()
    await in_a_thread(asked, state, LIST)
    assert not begun.is_set()


async def test_a_client_that_vanishes_ends_what_it_asked_for(state: StateFolder, listening: Control) -> None:
    """And nothing else."""
    old, slow = listening.handler, Slow()
    listening.handler = slow  # type: ignore[assignment]  # only `answer` is called
    connection = await in_a_thread(connect, state)
    connection.sendall(b'{"verb": "list"}\n')
    await slow.begun.wait()
    connection.close()
    async with asyncio.timeout(10):
        await slow.ended.wait()
    listening.handler = old
    assert len(await in_a_thread(asked, state, LIST)) == 2


@pytest.mark.parametrize("what", ["command", "response"])
async def test_a_client_that_hangs_is_let_go_after_a_deadline(
    state: StateFolder, listening: Control, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Whether it does not say what it wants, or does not read what it asked for."""
    monkeypatch.setattr(unix_socket, "SECONDS", 0.2)
    slow = Slow()
    listening.handler = slow  # type: ignore[assignment]  # as above
    connection = await in_a_thread(connect, state)
    connection.settimeout(10)
    if what == "response":
        connection.sendall(b'{"verb": "list"}\n')
        async with asyncio.timeout(10):
            await slow.ended.wait()
        taken = await in_a_thread(_drained, connection)
        assert taken > 0
    else:
        assert await in_a_thread(connection.recv, 100) == b""
    connection.close()


def _drained(connection: socket.socket) -> int:
    count = 0
    try:
        while chunk := connection.recv(65536):
            count += len(chunk)
    except ConnectionResetError:
        pass
    return count


async def test_a_client_that_does_not_take_the_last_lines_is_let_go_as_well(
    state: StateFolder, listening: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response is over, but as long as its lines wait in a buffer, they and a descriptor are held."""
    monkeypatch.setattr(unix_socket, "SECONDS", 0.2)
    monkeypatch.setattr(server, "_BUFFERED", 10**9)
    begun = asyncio.Event()

    class Whole:
        async def answer(self, _: Command) -> AsyncIterator[ResponseLine]:
            begun.set()
            for _number in range(10):
                yield {"progress": {"padding": "x" * 60_000}}

    listening.handler = Whole()  # type: ignore[assignment]  # as above
    connection = await in_a_thread(connect, state)
    connection.settimeout(10)
    connection.sendall(b'{"verb": "list"}\n')
    async with asyncio.timeout(10):
        await begun.wait()
        await asyncio.gather(*listening._clients)
    assert 0 < await in_a_thread(_drained, connection) < 600_000
    connection.close()


async def test_connections_that_say_nothing_are_bounded(
    state: StateFolder, listening: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a descriptor, which the relay and the ledger need."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    idle = [await in_a_thread(connect, state) for _ in range(3)]
    assert await in_a_thread(idle[-1].recv, 100) == b""
    assert len(listening._clients) == 2
    for connection in idle:
        connection.close()


async def test_closing_ends_whatever_is_being_answered(state: StateFolder, ledger_on_disk: SqliteLedger) -> None:
    """A stop waits for nobody who reads a list; and the socket is gone."""
    slow = Slow()
    control = Control(state, slow)  # type: ignore[arg-type]  # as above
    await control.start()
    connection = await in_a_thread(connect, state)
    connection.sendall(b'{"verb": "list"}\n')
    await slow.begun.wait()
    async with asyncio.timeout(2):
        await control.close()
        await control.close()
    connection.close()
    assert slow.ended.is_set()
    assert not state.control.exists()
    assert connect(state) is None
    assert ledger_on_disk._writer.pending == 0


@pytest.mark.usefixtures("listening")
async def test_too_many_at_once_are_asked_to_come_back(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """75, and the sender stays as it is."""
    monkeypatch.setattr(server, "MOST_CLIENTS", 1)
    idle = await in_a_thread(connect, state)
    (end,) = await in_a_thread(asked, state, LIST)
    idle.close()
    assert end["end"]["exit"] == Exit.TEMPORARY


async def test_a_path_longer_than_an_address_holds_works(tmp_path: Path) -> None:
    """107 bytes are little for a folder of Kubernetes."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.parent.mkdir()
    state = state_folder.ready(LedgerConfig(deep))
    assert state is not None
    ledger = await state_folder.open_ledger(state)
    listening = Control(state, Handler(ledger, None, SteadyClock()))
    await listening.start()
    (end,) = await in_a_thread(asked, state, LIST)
    await listening.close()
    await ledger.close()
    assert end["end"]["exit"] == Exit.DONE


async def test_a_socket_that_a_killed_sender_left_is_replaced(
    state: StateFolder, ledger_on_disk: SqliteLedger
) -> None:
    """Nobody listens there; who has the lock does from now on."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(state.control))
    left.close()
    assert connect(state) is None
    listening = Control(state, Handler(ledger_on_disk, None, SteadyClock()))
    await listening.start()
    assert len(await in_a_thread(asked, state, LIST)) == 2
    await listening.close()


async def test_where_no_socket_can_be_made_that_is_said_and_the_sender_goes_on(
    state: StateFolder, ledger_on_disk: SqliteLedger
) -> None:
    """Mail matters more."""
    state.control.mkdir()
    listening = Control(state, Handler(ledger_on_disk, None, SteadyClock()))
    with capture_logs() as logs:
        await listening.start()
    await listening.close()
    assert [log["event"] for log in logs] == ["control_unavailable"]
