"""The lock: one process has a state folder's ledger, and another one stands by."""

import asyncio
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mail_sender.clock import SteadyClock
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import StateFolder

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
)


def made(path: Path) -> StateFolder:
    """Make a state folder."""
    state = state_folder.ready(LedgerConfig(path))
    assert state is not None
    return state


def test_the_lock_has_one_holder_who_is_named(tmp_path: Path) -> None:
    """For people; the kernel alone decides who holds it."""
    state = made(tmp_path / "state")
    first, second = Lock(state), Lock(state)
    assert first.take()
    assert first.take()
    assert not second.take()
    assert second.holder().startswith(f"process {os.getpid()} on ")
    first.release()
    assert second.take()
    second.release()


def test_a_lock_whose_holder_was_killed_is_free(tmp_path: Path) -> None:
    """The signal leaves a file, but no lock."""
    state = made(tmp_path / "state")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, state.lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lock = Lock(state)
        assert not lock.take()
        holder.kill()
        holder.wait(10)
    assert lock.take()
    lock.release()


@pytest.mark.parametrize("change", ["remove", "replace", "rename the folder"])
def test_nothing_that_happens_to_the_files_lets_a_second_one_in(tmp_path: Path, change: str) -> None:
    """Whoever removes the lock's file from under a running sender has not removed its lock."""
    state = made(tmp_path / "state")
    first = Lock(state)
    assert first.take()
    if change == "rename the folder":
        state.path.rename(tmp_path / "renamed")
        state = StateFolder(tmp_path / "renamed")
    else:
        state.lock.unlink()
    if change == "replace":
        state.lock.touch()
    second = Lock(state)
    assert not second.take()
    first.release()
    assert second.take()
    second.release()


def test_a_sender_of_an_older_version_is_met_too(tmp_path: Path) -> None:
    """It locks the file alone."""
    state = made(tmp_path / "state")
    with state.lock.open("r+") as older:
        fcntl.flock(older, fcntl.LOCK_EX)
        lock = Lock(state)
        assert not lock.take()
    assert lock.take()
    lock.release()


def test_a_folder_that_was_replaced_is_not_held_by_two(tmp_path: Path) -> None:
    """Whoever locks a folder that has another name by now has locked nothing."""
    state = made(tmp_path / "state")
    lock = Lock(state)

    def renamed(*_: object) -> None:
        state.path.rename(tmp_path / "old")
        state.path.mkdir()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fcntl.flock", renamed)
        assert not lock.take()
    assert lock.take()
    lock.release()


class Watched(SteadyClock):
    """A clock that does as it says, but tells when somebody waits, and how long; a wait is cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.waited = asyncio.Event()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait a moment."""
        self.waits.append(seconds)
        if len(self.waits) == 3:
            self.waited.set()
        return await super().wait(event, 0.001)


async def test_a_second_sender_stands_by_says_so_once_and_takes_over(tmp_path: Path) -> None:
    """It looks each second."""
    state = made(tmp_path / "state")
    first, second, clock = Lock(state), Lock(state), Watched()
    assert first.take()
    with capture_logs() as logs:
        standing_by = asyncio.ensure_future(second.stand_by(asyncio.Event(), clock))
        await clock.waited.wait()
        first.release()
        assert await standing_by
    assert set(clock.waits) == {1.0}
    assert [log["event"] for log in logs] == ["standing_by", "taking_over"]
    assert f"process {os.getpid()}" in logs[0]["holder"]
    assert not first.take()
    second.release()


async def test_a_stop_ends_standing_by(tmp_path: Path) -> None:
    """Without the lock."""
    state = made(tmp_path / "state")
    first, second, stop = Lock(state), Lock(state), asyncio.Event()
    assert first.take()
    standing_by = asyncio.ensure_future(second.stand_by(stop, SteadyClock()))
    stop.set()
    assert not await asyncio.wait_for(standing_by, 0.9)
    first.release()
