"""A folder in the relay's place: whole files for their owner alone, and faults that are nobody's mail's."""

import errno
import os
import resource
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mail_sender.mail.mail import Mail
from mail_sender.relay import folder
from mail_sender.relay.folder import FolderTransport, file_name
from mail_sender.verdict import Accepted, RelayDown
from tests.wire.mails import nothing

MAIL = Mail("<1@example.com>", datetime(2026, 11, 21, tzinfo=UTC), "idm@example.com", "a@example.com", b"x\r\n")


def names(folder: Path) -> list[str]:
    """Return what lies in a folder, hidden files included."""
    return [path.name for path in folder.iterdir()]


async def test_a_file_is_its_owners_alone_and_the_verdict_names_it(tmp_path: Path) -> None:
    """It holds a link that works; the folder is made, as closed, where the one above it is there."""
    mails = tmp_path / "mails"
    verdict = await FolderTransport(mails).send(MAIL, nothing)
    assert isinstance(verdict, Accepted)
    assert str(mails / "1@example.com.eml") in verdict.reply.text
    assert "not sent" in verdict.reply.text
    assert stat.S_IMODE((mails / "1@example.com.eml").stat().st_mode) == 0o600
    assert stat.S_IMODE(mails.stat().st_mode) == 0o700


async def test_nothing_but_whole_mails_is_left(tmp_path: Path) -> None:
    """Neither after a mail that was written nor after one that was stopped."""

    async def fail() -> None:
        raise RuntimeError("stopped")

    transport = FolderTransport(tmp_path)
    with pytest.raises(RuntimeError):
        await transport.send(MAIL, fail)
    assert names(tmp_path) == []
    await transport.send(MAIL, nothing)
    assert names(tmp_path) == ["1@example.com.eml"]


async def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Whoever may write into the folder must not make us write elsewhere."""
    (tmp_path / "mails").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "mails/1@example.com.eml").symlink_to(elsewhere)
    assert isinstance(await FolderTransport(tmp_path / "mails").send(MAIL, nothing), Accepted)
    assert elsewhere.read_text() == "mine"
    assert (tmp_path / "mails/1@example.com.eml").read_bytes() == MAIL.content


@pytest.mark.parametrize(
    ("message_id", "name"),
    [
        ("<1@example.com>", "1@example.com.eml"),
        ("<../../etc/passwd@x>", "_.._etc_passwd@x.eml"),
        ("<-rf *@x y\n\0>", "rf__@x_y__.eml"),
        (f"<{'a' * 400}@x>", f"{'a' * 200}.eml"),
    ],
)
def test_a_message_id_becomes_a_name_that_stays_in_the_folder(message_id: str, name: str) -> None:
    """No path, no hidden file, no flag, nothing that a shell would take for something else, and not too long."""
    assert file_name(message_id) == name


@pytest.mark.parametrize("call", ["mkdir", "write", "replace"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
async def test_a_folder_that_takes_nothing_is_the_lanes_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, reason: int
) -> None:
    """Whichever step fails: no mail is to blame, no half mail is left, and the sentence names the folder."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason))

    transport = FolderTransport(tmp_path)
    if call == "write":
        monkeypatch.setattr("mail_sender.relay.folder.tempfile.NamedTemporaryFile", fail)
    else:
        monkeypatch.setattr(Path, call, fail)
    verdict = await transport.send(MAIL, nothing)
    assert isinstance(verdict, RelayDown)
    assert not verdict.lasting
    assert str(tmp_path) in verdict.detail
    assert os.strerror(reason).lower() in verdict.detail
    assert names(tmp_path) == []


async def test_a_mail_that_does_not_fit_leaves_no_half_of_it(tmp_path: Path) -> None:
    """What was begun is taken away again, and the next mail is tried as usual."""
    transport = FolderTransport(tmp_path)
    large = replace(MAIL, content=b"x" * 2**20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))  # the kernel then refuses what a full disk does
    try:
        verdict = await transport.send(large, nothing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(verdict, RelayDown)
    assert names(tmp_path) == []
    assert isinstance(await transport.send(large, nothing), Accepted)


def test_a_folder_that_cannot_be_used_is_said_and_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be missing if the one above it is there."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere" / "at" / "all")
    assert [folder.problem(path) for path in (tmp_path, tmp_path / "new")] == [None, None]
    said = {
        tmp_path / "file": f"{tmp_path}/file is not a folder",
        tmp_path / "file" / "below": f"{tmp_path}/file is not a folder",
        tmp_path / "a" / "b": f"the folder {tmp_path}/a is not there",
        tmp_path / ("x" * 300): "file name too long",
        tmp_path / "loop": f"{tmp_path}/loop is a link that leads nowhere",
        tmp_path / "gone": f"{tmp_path}/gone is a link that leads nowhere",
        Path("/dev/null"): "/dev/null is not a folder",
    }
    for path, words in said.items():
        assert words in (folder.problem(path) or ""), path
    monkeypatch.setattr(os, "access", lambda path, _: path == tmp_path.parent)
    for path in (tmp_path, tmp_path / "new"):
        assert folder.problem(path) == f"the folder {tmp_path} cannot be written"
