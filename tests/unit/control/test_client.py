"""How a queue verb reaches a ledger: through a running sender, or under the lock. Real sockets, real locks."""

import os

import pytest

from mail_sender.control import client as clients
from mail_sender.control.client import Client
from mail_sender.control.command import Command
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import BusyLedger, StateFolder
from tests.unit.control.asking import LIST, in_a_thread


def reached(state: StateFolder, command: Command) -> list[ResponseLine]:
    """Reach for a ledger, and return the response."""
    with Client(state) as client:
        return list(client.ask(command))


@pytest.mark.usefixtures("listening")
async def test_a_running_sender_is_asked(state: StateFolder) -> None:
    """Although its lock could not be had."""
    lock = Lock(state)
    assert lock.take()
    assert len(await in_a_thread(reached, state, LIST)) == 2
    lock.release()


async def test_where_no_sender_runs_the_ledger_is_opened_under_its_lock(state: StateFolder) -> None:
    """And everything is given back afterwards."""
    first, end = await in_a_thread(reached, state, Command("flush"))
    assert first["condition"]["message"] == "no sender runs: mail waits until one starts"
    assert end["end"]["message"] == "nothing is queued or held"
    lock = Lock(state)
    assert lock.take()
    lock.release()
    assert {path.name for path in state.path.iterdir()} == {"ledger.db", "ledger.lock"}


def test_a_command_that_only_reads_keeps_no_sender_from_starting(state: StateFolder) -> None:
    """A list in a pager may stay there for hours; what changes the ledger keeps its lock."""
    for verb, free in (("list", True), ("flush", False)):
        with Client(state) as client:
            list(client.ask(Command(verb)))
            lock = Lock(state)
            assert lock.take() is free
            lock.release()


def test_a_lock_that_somebody_holds_without_answering_is_exit_75(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who that is."""
    monkeypatch.setattr(clients, "PATIENCE", 0.2)
    lock = Lock(state)
    assert lock.take()
    with pytest.raises(BusyLedger, match=rf"process {os.getpid()} on .* does not answer") as error:
        reached(state, LIST)
    lock.release()
    assert error.value.exit_code == Exit.TEMPORARY
