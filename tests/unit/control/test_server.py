"""The control socket, and how a queue verb reaches a ledger: real sockets, real locks."""

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.control import client, server
from mail_sender.control.client import Client
from mail_sender.control.command import Command
from mail_sender.control.handler import PAGE, Handler
from mail_sender.control.response import Line
from mail_sender.control.server import Control, NoAnswer
from mail_sender.errors import Exit
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.state_folder import BusyLedger, StateFolder
from mail_sender.ledger.states import State
from tests.support.samples import message

LIST = Command(verb="list")


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Give a state folder without a ledger."""
    state = state_folder.ready(LedgerConfig(tmp_path / "state"))
    assert state is not None
    return state


@pytest.fixture
async def ledger(state: StateFolder) -> AsyncIterator[SqliteLedger]:
    """Give the folder's ledger, open, with one message in it."""
    ledger = await state_folder.open_ledger(state)
    now = SteadyClock().now()
    await ledger.admit([message(delete_after=now + timedelta(days=1))], now, timedelta(days=1))
    yield ledger
    await ledger.close()


@pytest.fixture
async def listening(state: StateFolder, ledger: SqliteLedger) -> AsyncIterator[Control]:
    """Give a control socket that answers."""
    control = Control(state, Handler(ledger, None, SteadyClock()))
    await control.start()
    yield control
    await control.close()


def asked(state: StateFolder, order: Command) -> list[Line]:
    """Return a sender's answer."""
    connection = server.connect(state)
    assert connection is not None
    return list(server.ask(connection, order))


def said(state: StateFolder, raw: bytes) -> Line:
    """Send what may be no order, and return the end of the answer."""
    connection = server.connect(state)
    assert connection is not None
    with connection, connection.makefile("rb") as lines:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        end: Line = json.loads(lines.read())["end"]
        return end


async def in_a_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Do what blocks beside the loop."""
    async with asyncio.timeout(20):
        return await asyncio.to_thread(call, *arguments)


@pytest.mark.usefixtures("listening")
async def test_an_order_is_answered_by_lines_that_end(state: StateFolder) -> None:
    """As the desk gives them."""
    entry, end = await in_a_thread(asked, state, LIST)
    assert entry["entry"]["status"] == "queued"
    assert end["end"] == {"exit": Exit.DONE, "message": None, "before": None}


@pytest.mark.usefixtures("listening")
async def test_a_full_page_crosses_the_socket_whole(state: StateFolder, ledger: SqliteLedger) -> None:
    """Hundreds of lines, more than any buffer holds."""
    now = SteadyClock().now()
    await ledger.admit(
        [message(delete_after=now + timedelta(days=1)) for _ in range(PAGE + 7)], now, timedelta(days=1)
    )
    lines = await in_a_thread(asked, state, LIST)
    assert len(lines) == PAGE + 1
    rest = await in_a_thread(asked, state, Command(verb="list", before=lines[-1]["end"]["before"]))
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
        b"",
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[]\n",
        b'{"verb": "drop"}\n',
        b'{"verb": "list", "limit": 0}\n',
        b'{"verb": "list", "limit": "5"}\n',
        b'{"verb": "list", "nonsense": 1}\n',
        b'{"verb": "show", "message": "%"}\n',
        b"\xff\xfe\x00\n",
        b"[" * 5000 + b"\n",
        b"x" * (server.LONGEST_ORDER + 4096),
    ],
)
async def test_what_is_no_order_gets_a_sentence_and_harms_nobody(
    state: StateFolder, listening: Control, raw: bytes
) -> None:
    """The next order is answered as ever."""
    assert listening.handler is not None
    end = await in_a_thread(said, state, raw)
    assert end["exit"] == Exit.USAGE
    assert end["message"].startswith("that ")
    assert len(await in_a_thread(asked, state, LIST)) == 2


class Slow:
    """A desk that answers without end, until it is told to stop listening."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def answer(self, order: Command) -> AsyncIterator[Line]:
        assert order.verb == "list"
        self.begun.set()
        try:
            while True:
                yield {"progress": {"done": 0, "total": 1, "padding": "x" * 60_000}}
                await asyncio.sleep(0)
        finally:
            self.ended.set()


async def test_an_order_whose_client_has_gone_before_it_begins_is_dropped(
    state: StateFolder, listening: Control
) -> None:
    """It was told that nobody answered: done later, it might be done twice."""
    begun = asyncio.Event()

    class Handler:
        async def answer(self, order: Command) -> AsyncIterator[Line]:
            begun.set() if order.verb == "flush" else None
            yield {"end": {"exit": 0, "message": None, "before": None}}

    listening.handler = Handler()  # type: ignore[assignment]  # all that is asked of it is `answer`
    connection = server.connect(state)  # the loop does not turn before it is closed, as in a sender that hangs
    assert connection is not None
    connection.sendall(b'{"verb": "flush"}\n')
    connection.close()
    await in_a_thread(asked, state, LIST)
    assert not begun.is_set()


async def test_a_client_that_vanishes_ends_what_it_asked_for(state: StateFolder, listening: Control) -> None:
    """And nothing else."""
    old, slow = listening.handler, Slow()
    listening.handler = slow  # type: ignore[assignment]  # all that is asked of it is `answer`
    connection = await in_a_thread(server.connect, state)
    connection.sendall(b'{"verb": "list"}\n')
    await slow.begun.wait()
    connection.close()
    async with asyncio.timeout(10):
        await slow.ended.wait()
    listening.handler = old
    assert len(await in_a_thread(asked, state, LIST)) == 2


@pytest.mark.parametrize("what", ["order", "answer"])
async def test_a_client_that_hangs_is_let_go_after_a_deadline(
    state: StateFolder, listening: Control, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Whether it does not say what it wants, or does not take what it asked for."""
    monkeypatch.setattr(server, "ORDER_SECONDS", 0.2)
    slow = Slow()
    listening.handler = slow  # type: ignore[assignment]  # as above
    connection = await in_a_thread(server.connect, state)
    connection.settimeout(10)
    if what == "answer":
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


async def test_closing_ends_whatever_is_being_answered(state: StateFolder, ledger: SqliteLedger) -> None:
    """A stop waits for nobody who reads a list; and the socket is gone."""
    slow = Slow()
    control_ = Control(state, slow)  # type: ignore[arg-type]  # as above
    await control_.start()
    connection = await in_a_thread(server.connect, state)
    connection.sendall(b'{"verb": "list"}\n')
    await slow.begun.wait()
    async with asyncio.timeout(2):
        await control_.close()
        await control_.close()
    connection.close()
    assert slow.ended.is_set()
    assert not state.control.exists()
    assert server.connect(state) is None
    assert ledger.pending == 0


@pytest.mark.usefixtures("listening")
async def test_too_many_at_once_are_told_to_come_back(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """75, and the sender stays as it is."""
    monkeypatch.setattr(server, "MOST_CLIENTS", 1)
    idle = await in_a_thread(server.connect, state)
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


async def test_a_socket_that_a_killed_sender_left_is_replaced(state: StateFolder, ledger: SqliteLedger) -> None:
    """Nobody listens there; who has the lock does from now on."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(state.control))
    left.close()
    assert server.connect(state) is None
    listening = Control(state, Handler(ledger, None, SteadyClock()))
    await listening.start()
    assert len(await in_a_thread(asked, state, LIST)) == 2
    await listening.close()


async def test_where_no_socket_can_be_made_that_is_said_and_the_sender_goes_on(
    state: StateFolder, ledger: SqliteLedger
) -> None:
    """Mail matters more."""
    state.control.mkdir()
    listening = Control(state, Handler(ledger, None, SteadyClock()))
    with capture_logs() as logs:
        await listening.start()
    await listening.close()
    assert [log["event"] for log in logs] == ["control_unavailable"]


def _server(state: StateFolder, answer: bytes, *, hang: threading.Event | None = None) -> threading.Thread:
    """Answer one client with these bytes, and close, or hang."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state.control))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(1000)
            client.sendall(answer)
            if hang is not None:
                hang.wait(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("answer", [b"", b'{"progress": {"done": 1', b'{"progress": {}}\n', b"nonsense\n", b"7\n"])
def test_an_answer_that_breaks_off_is_exit_75(state: StateFolder, answer: bytes) -> None:
    """A sender that ended, or nonsense, is no success."""
    thread = _server(state, answer)
    with pytest.raises(NoAnswer, match="try again in a moment") as error:
        asked(state, LIST)
    thread.join(10)
    assert error.value.exit_code == Exit.TEMPORARY


def test_a_sender_that_says_nothing_is_not_waited_for_for_ever(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has a deadline of its own."""
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.1)
    release = threading.Event()
    thread = _server(state, b"", hang=release)
    with pytest.raises(NoAnswer, match="it takes too long"):
        asked(state, LIST)
    release.set()
    thread.join(10)


# Reaching the ledger


def reached(state: StateFolder, order: Command) -> list[Line]:
    """Reach for a ledger, and return the answer."""
    with Client(state) as found:
        return list(found.ask(order))


@pytest.mark.usefixtures("listening")
async def test_a_running_sender_is_asked(state: StateFolder) -> None:
    """Although its lock could not be had."""
    lock = Lock(state)
    assert lock.take()
    assert len(await in_a_thread(reached, state, LIST)) == 2
    lock.release()


async def test_where_no_sender_runs_the_ledger_is_opened_under_its_lock(state: StateFolder) -> None:
    """And everything is given back afterwards."""
    (end,) = await in_a_thread(reached, state, Command(verb="flush"))
    assert end["end"]["message"] == "nothing is queued or held"
    lock = Lock(state)
    assert lock.take()
    lock.release()
    assert {path.name for path in state.path.iterdir()} == {"ledger.db", "ledger.lock"}


def test_who_only_looks_keeps_no_sender_from_starting(state: StateFolder) -> None:
    """A list in a pager may stay there for hours; what changes the ledger keeps its lock."""
    for verb, free in (("list", True), ("flush", False)):
        with Client(state) as found:
            list(found.ask(Command.model_validate({"verb": verb})))
            lock = Lock(state)
            assert lock.take() is free
            lock.release()


def test_a_lock_that_somebody_holds_without_answering_is_exit_75(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who that is."""
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    lock = Lock(state)
    assert lock.take()
    with pytest.raises(BusyLedger, match=rf"process {os.getpid()} on .* does not answer") as error:
        reached(state, LIST)
    lock.release()
    assert error.value.exit_code == Exit.TEMPORARY


def test_orders_survive_the_way_as_they_are() -> None:
    """Every field."""
    order = Command(
        verb="retry",
        message="abcdef",
        states=frozenset({State.HELD, State.FAILED}),
        recipient="ellie@example.com",
        limit=3,
        before=7,
        show_addresses=True,
    )
    assert Command.model_validate_json(order.model_dump_json(exclude_defaults=True)) == order
