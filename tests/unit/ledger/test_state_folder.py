"""The state folder: where it is, whose its files are, and what is never replaced."""

import asyncio
import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mail_sender.errors import Exit, MailSenderError, NotAllowed
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import BusyLedger, NoLedger, StateFolder, UnusableLedger

NOBODY = 65534
SOMEBODY = NOBODY if os.geteuid() == 0 else os.geteuid()


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder that any user can reach, other than pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_somebody() -> Iterator[None]:
    """Be a user whom permissions bind."""
    if os.geteuid() == SOMEBODY:
        yield
        return
    os.seteuid(SOMEBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def made(path: Path) -> StateFolder:
    """Make a state folder."""
    state = state_folder.ready(LedgerConfig(path))
    assert state is not None
    return state


async def filled(path: Path) -> StateFolder:
    """Make a state folder with a ledger in it."""
    state = made(path)
    await (await state_folder.open_ledger(state)).close()
    return state


def mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_configured_folder_goes_before_systemds_and_that_before_the_default(tmp_path: Path) -> None:
    """There systemd may name several folders: the first is ours."""
    both = {"STATE_DIRECTORY": "/run/a:/run/b"}
    assert state_folder.place(LedgerConfig(tmp_path), both) == StateFolder(tmp_path)
    assert state_folder.place(LedgerConfig(), both) == StateFolder(Path("/run/a"))
    assert state_folder.place(LedgerConfig(), {}) == StateFolder(state_folder.DEFAULT, named=False)


async def test_all_that_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    """What SQLite makes beside the ledger takes its mode."""
    old = os.umask(0)
    try:
        state = made(tmp_path / "state")
        ledger = await state_folder.open_ledger(state)
        assert mode(state.path) == 0o700
        files = {path.name: mode(path) for path in state.path.iterdir()}
        await ledger.close()
    finally:
        os.umask(old)
    assert files == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.lock"), 0o600)


async def test_in_a_folder_of_somebody_else_root_leaves_no_file_of_its_own(place: Path) -> None:
    """`exec` into a container as root must not lock the sender out."""
    path = place / "state"
    path.mkdir(mode=0o700)
    os.chown(path, SOMEBODY, SOMEBODY)
    state = made(path)
    lock = Lock(state)
    assert lock.take()
    ledger = await state_folder.open_ledger(state)
    owners = {file.name: (file.stat().st_uid, file.stat().st_gid) for file in path.iterdir()}
    await ledger.close()
    lock.release()
    assert owners == dict.fromkeys(
        ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.lock"), (SOMEBODY, SOMEBODY)
    )
    assert os.geteuid() == os.getuid()


def test_a_missing_parent_is_not_made(tmp_path: Path) -> None:
    """It may be a volume that is not mounted."""
    with pytest.raises(UnusableLedger, match="create its parent folder, or mount it") as error:
        state_folder.ready(LedgerConfig(tmp_path / "volume" / "state"))
    assert error.value.exit_code == Exit.BAD_CONFIG
    assert list(tmp_path.iterdir()) == []


def test_memory_is_used_where_the_configuration_says_so(tmp_path: Path) -> None:
    """And that is said, with what is not promised then; a path beside it changes nothing."""
    with capture_logs() as logs:
        assert state_folder.ready(LedgerConfig(tmp_path / "state", "memory")) is None
    assert [log["event"] for log in logs] == ["ledger_in_memory"]
    assert "a restart may repeat mail" in logs[0]["message"]
    assert list(tmp_path.iterdir()) == []


def test_memory_is_used_where_nobody_named_a_folder_and_none_can_be_made(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first try by `docker run` without a volume must run."""
    (place / "lib").mkdir(mode=0o555)
    for default in (place / "missing" / "state", place / "lib" / "state"):
        monkeypatch.setattr(state_folder, "DEFAULT", default)
        with capture_logs() as logs, as_somebody():
            assert state_folder.ready(LedgerConfig(), {}) is None
        assert [log["event"] for log in logs] == ["ledger_in_memory"]


@pytest.mark.parametrize("how", ["path", "systemd"])
def test_a_folder_that_somebody_named_is_never_replaced_by_memory(place: Path, how: str) -> None:
    """Whoever names one counts on it."""
    (place / "lib").mkdir(mode=0o555)
    path = place / "lib" / "state"
    config = LedgerConfig(path if how == "path" else None)
    with pytest.raises(UnusableLedger, match="make it writable for uid"), as_somebody():
        state_folder.ready(config, {"STATE_DIRECTORY": str(path)} if how == "systemd" else {})


@pytest.mark.parametrize("bits", [0o500, 0o000])
async def test_a_ledger_that_is_there_is_never_replaced_by_memory(
    place: Path, monkeypatch: pytest.MonkeyPatch, bits: int
) -> None:
    """Neither where it cannot be written, nor where nobody can even tell whether it is there."""
    state = await filled(place / "state")
    state.ledger.chmod(0o400)
    state.lock.chmod(0o400)
    state.path.chmod(bits)
    monkeypatch.setattr(state_folder, "DEFAULT", state.path)
    # Its owner is root where root runs this, and permissions bind only others.
    with pytest.raises(UnusableLedger) as error, as_somebody():
        state_folder.ready(LedgerConfig(), {})
    state.path.chmod(0o700)
    assert error.value.exit_code == Exit.BAD_CONFIG


def test_a_file_in_the_folders_place_is_said(tmp_path: Path) -> None:
    """`[ledger] path` names a folder, not the ledger."""
    (tmp_path / "ledger.db").write_text("")
    with pytest.raises(UnusableLedger, match=r"not a folder.*name a folder in \[ledger\] path"):
        state_folder.ready(LedgerConfig(tmp_path / "ledger.db"))


@pytest.mark.parametrize("fault", ["damaged", "folder"])
async def test_a_ledger_that_cannot_be_used_ends_the_start(tmp_path: Path, fault: str) -> None:
    """Nothing that is wrong with it is mended by forgetting it; it stays as it is (contract/test_ledger_file)."""
    state = await filled(tmp_path / "state")
    state.ledger.unlink()
    state.ledger.mkdir() if fault == "folder" else state.ledger.write_bytes(b"no ledger at all" * 64)
    with pytest.raises(UnusableLedger) as error:
        await state_folder.open_ledger(state)
    assert error.value.exit_code == Exit.BAD_CONFIG
    assert str(state.ledger) in str(error.value)


@pytest.mark.parametrize(("number", "cure"), [(errno.ENOSPC, "free some space"), (errno.ENOLCK, "use a local disk")])
def test_what_the_disk_says_comes_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    """A full disk, and a file system without locks."""
    state = made(tmp_path / "state")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(MailSenderError, match=cure):
        Lock(state).take()


def test_who_only_looks_makes_nothing(tmp_path: Path) -> None:
    """A queue verb in the wrong place leaves no empty ledger there that looks like an answer."""
    with pytest.raises(NoLedger, match="no sender has worked there"):
        state_folder.existing(LedgerConfig(tmp_path / "state"), {})
    with pytest.raises(NoLedger, match="in memory"):
        state_folder.existing(LedgerConfig(None, "memory"), {})
    assert list(tmp_path.iterdir()) == []
    state = asyncio.run(filled(tmp_path / "state"))
    assert state_folder.existing(LedgerConfig(tmp_path / "state"), {}) == state


async def test_a_ledger_of_somebody_else_is_not_for_us_to_open(place: Path) -> None:
    """77, with whom to run it as; where nobody but its owner runs this, its mode says no."""
    state = await filled(place / "state")
    state.ledger.chmod(0o400)
    with pytest.raises(NotAllowed, match="as root"), as_somebody():
        state_folder.existing(LedgerConfig(state.path), {})


def test_root_is_not_advised_to_be_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root works as the folder's owner, who may be kept out of a folder of root's: then the folder is to be opened."""
    state = made(tmp_path / "state")

    def refuse(_: StateFolder) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(StateFolder, "has_ledger", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UnusableLedger, match="make it writable for uid"):
        state_folder.existing(LedgerConfig(state.path), {})


async def test_a_ledger_that_another_program_holds_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody looks at it with sqlite3: that is no fault of the configuration."""
    monkeypatch.setattr("mail_sender.ledger.writer._BUSY_SECONDS", 0.05)
    state = await filled(tmp_path / "state")
    other = sqlite3.connect(state.ledger, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyLedger, match="another program has locked it") as error:
        await state_folder.open_ledger(state)
    other.close()
    assert error.value.exit_code == Exit.TEMPORARY
