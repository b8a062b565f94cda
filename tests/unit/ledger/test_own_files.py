"""The state folder holds plain files of its owner: nothing in it is followed, whoever looks."""

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mail_sender.control import connection, unix_socket
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger import own_files, state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.own_files import ForeignFile
from mail_sender.ledger.state_folder import StateFolder

IS_ROOT = os.geteuid() == 0
OWNER = 65534 if IS_ROOT else os.geteuid()
FILES = ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "ledger.lock"]
SECRET = "root:secret\n" * 500


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder that any user can reach, with a file of ours that nobody else may touch."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "secret").write_text(SECRET)
        (Path(name) / "secret").chmod(0o600)
        yield Path(name)


@pytest.fixture
async def state(place: Path) -> StateFolder:
    """Give a state folder of somebody else, if we are root, with a ledger in it."""
    path = place / "state"
    path.mkdir(mode=0o700)
    os.chown(path, OWNER, -1)
    made = state_folder.ready(LedgerConfig(path))
    assert made is not None
    await (await state_folder.open_ledger(made)).close()
    return StateFolder(path)


def fifo(path: Path, _: Path) -> None:
    """Put a pipe there: whoever opens it may wait for ever."""
    os.mkfifo(path)
    os.chown(path, OWNER, -1)


def bound(path: Path, _: Path) -> None:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "symbolic link": lambda path, secret: path.symlink_to(secret),
    "symbolic link to nothing": lambda path, secret: path.symlink_to(secret.with_name("new")),
    "named pipe": fifo,
    "folder": lambda path, _: path.mkdir(),
    "socket": bound,
}
if IS_ROOT:
    KINDS["hard link"] = lambda path, secret: path.hardlink_to(secret)
    KINDS["device"] = lambda path, _: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    KINDS["a file of uid 0"] = lambda path, _: path.touch()


async def use(state: StateFolder, how: str) -> None:
    """Begin as the program does: a queue command, a sender, the lock, or the ledger once the lock is held."""
    match how:
        case "queue":
            Lock(state_folder.existing(LedgerConfig(state.path))).take()
        case "sender":
            state_folder.ready(LedgerConfig(state.path))
            await state_folder.open_ledger(state)
        case "open":
            await state_folder.open_ledger(state, reads_only=True)


CASES = [
    *((kind, name, "queue") for kind in KINDS for name in FILES),
    *(("symbolic link", name, how) for name in FILES for how in ("sender", "open")),
]


@pytest.mark.parametrize(("kind", "name", "how"), CASES)
async def test_what_is_no_plain_file_of_the_owner_is_named_and_refused(
    state: StateFolder, place: Path, kind: str, name: str, how: str
) -> None:
    """Whatever it is, and whatever it leads to: that stays as it was, and nothing is made."""
    (state.path / name).unlink(missing_ok=True)
    KINDS[kind](state.path / name, place / "secret")
    with pytest.raises(MailSenderError) as error:
        await use(state, how)
    assert error.value.exit_code == Exit.BAD_CONFIG
    assert str(state.path / name) in str(error.value)
    assert kind.removesuffix(" to nothing") in str(error.value)
    assert (place / "secret").read_text() == SECRET
    assert not (place / "new").exists()
    assert os.geteuid() == os.getuid()


@pytest.mark.parametrize("kind", ["symbolic link", "named pipe", "folder"])
def test_a_control_socket_that_is_none_is_not_asked(state: StateFolder, place: Path, kind: str) -> None:
    """A link could lead root's command to any socket."""
    other = place / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(other))
        listener.listen()
        KINDS[kind](state.control, other)
        with pytest.raises(ForeignFile, match=r"control\.sock is a"):
            connection.connect(state)


def test_a_sender_replaces_a_link_in_the_place_of_its_socket(state: StateFolder, place: Path) -> None:
    """As it replaces whatever a killed sender left there; what the link leads to stays as it is."""
    state.control.symlink_to(place / "secret")
    unix_socket.listener(state.control).close()
    assert stat.S_ISSOCK(state.control.lstat().st_mode)
    assert (place / "secret").read_text() == SECRET


def test_what_is_swapped_after_the_look_is_not_followed(
    state: StateFolder, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between look and open there is a moment: the open itself follows nothing."""
    monkeypatch.setattr(own_files, "inspect", lambda *_: None)
    state.lock.unlink()
    state.lock.symlink_to(place / "secret")
    with pytest.raises(MailSenderError, match="symbolic link"):
        Lock(state).take()
    assert (place / "secret").read_text() == SECRET


def test_the_owner_is_looked_at_once(state: StateFolder, place: Path) -> None:
    """A folder that is put in its place later is opened as the same user: nothing there becomes root's to open."""
    before = state.files_owner, state.user
    state.path.rename(place / "aside")
    (place / "state").mkdir(mode=0o700)
    assert (state.files_owner, state.user) == before
