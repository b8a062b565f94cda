"""Files are written all at once or not at all, with their rights, and never over one that is there."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mail_sender.cli.init import files
from mail_sender.cli.init.files import CannotWrite, NewFile

NOW = datetime(2026, 12, 1, 3, 0, 0, tzinfo=UTC)
OURS = (os.geteuid(), os.getegid())


def two(folder: Path) -> list[NewFile]:
    return [
        NewFile(folder / "config", "uri\n", (*OURS, 0o644)),
        NewFile(folder / "mail-sender", "token\n", (*OURS, 0o600)),
    ]


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files_are_written_with_their_rights_whatever_the_umask_says(tmp_path: Path) -> None:
    """A secret is closed to others from its first moment; the client config is for all of Kanidm's tools."""
    umask = os.umask(0o077)
    try:
        assert files.write(two(tmp_path), NOW, replaces=False) == []
    finally:
        os.umask(umask)
    assert content(tmp_path) == {"config": "uri\n", "mail-sender": "token\n"}
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("config", "mail-sender")] == [0o644, 0o600]


def test_a_file_that_is_there_is_not_replaced_and_the_other_one_is_not_left(tmp_path: Path) -> None:
    """Somebody made it after we had looked: what is his stays, and nothing of ours stays beside it."""
    (tmp_path / "mail-sender").write_text("theirs")
    with pytest.raises(CannotWrite, match=r"mail-sender cannot be written .* nothing was changed; somebody has just"):
        files.write(two(tmp_path), NOW, replaces=False)
    assert content(tmp_path) == {"mail-sender": "theirs"}


def test_a_file_that_is_replaced_is_kept_with_its_rights(tmp_path: Path) -> None:
    """The way back is a file away."""
    (tmp_path / "mail-sender").write_text("before")
    (tmp_path / "mail-sender").chmod(0o640)
    (kept,) = files.write(two(tmp_path), NOW, replaces=True)
    assert kept == tmp_path / "mail-sender.bak-20261201T030000Z"
    assert content(tmp_path) == {"config": "uri\n", "mail-sender": "token\n", kept.name: "before"}
    assert kept.stat().st_mode & 0o777 == 0o640


def test_all_is_put_back_if_a_later_file_cannot_get_its_name(tmp_path: Path) -> None:
    """A folder stands where the second file belongs; the first one is what it was before."""
    (tmp_path / "config").write_text("before")
    first, _ = two(tmp_path)
    (tmp_path / "folder").mkdir()
    blocked = NewFile(tmp_path / "folder", "text", (*OURS, 0o600))
    with pytest.raises(CannotWrite, match="folder cannot be written"):
        files.write([first, blocked], NOW, replaces=True)
    assert (tmp_path / "config").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "folder"]


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    """It may be a volume that is not mounted, or a slip of the pen."""
    with pytest.raises(CannotWrite, match=r"make the folder .*missing first"):
        files.write(two(tmp_path / "missing"), NOW, replaces=False)


def test_ctrl_c_waits_until_all_files_are_there(tmp_path: Path) -> None:
    """A signal in the middle of it comes afterwards."""
    with pytest.raises(KeyboardInterrupt), files.undisturbed():  # noqa: PT012 - the signal comes at the end
        os.kill(os.getpid(), signal.SIGINT)
        files.write(two(tmp_path), NOW, replaces=False)
    assert sorted(content(tmp_path)) == ["config", "mail-sender"]
