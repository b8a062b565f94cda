"""What lies in a folder of the operator's, and what others keep there for themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mail_sender.templating import override_folder


def names(folder: Path) -> list[str]:
    """Return what is found below a folder."""
    return [path.relative_to(folder).as_posix() for path in override_folder.entries(folder)]


def test_what_begins_with_a_dot_or_ends_in_a_tilde_is_left_out(tmp_path: Path) -> None:
    """With all that is in it."""
    for name in (".git/config", "a/b.j2", "a/.b.j2.swp", "c.j2", "c.j2~"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert names(tmp_path) == ["a", "a/b.j2", "c.j2"]
    assert override_folder.names(tmp_path) == ["a", "c.j2"]


def test_a_link_to_a_folder_is_followed_and_one_that_leads_back_ends(tmp_path: Path) -> None:
    """Mounts have the one; nobody means the other."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.j2").write_text("")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/back").symlink_to("..")
    assert names(tmp_path) == ["link", "link/back", "link/x.j2", "real", "real/back", "real/x.j2"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold what the operator has written; as root all can be read, so the system's answer is made up."""
    (tmp_path / "locked").mkdir()
    iterdir = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PermissionError):
        names(tmp_path)


def test_a_folder_of_everything_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/`, or a home: that takes minutes, during which no mail goes out."""
    monkeypatch.setattr(override_folder, "MOST", 3)
    for name in "abcd":
        (tmp_path / name).write_text("")
    with pytest.raises(override_folder.NotOfTemplates, match="more than 3 files"):
        override_folder.entries(tmp_path)
    (tmp_path / "d").unlink()
    assert names(tmp_path) == ["a", "b", "c"]
