"""Kanidm's own sender is found among the processes, and named with what stops it."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from mail_sender.doctor import other_sender
from mail_sender.doctor.finding import Finding, Level
from mail_sender.doctor.subject import Subject

ID = "0123456789ab" + "c" * 52
PLACES = {
    "0::/system.slice/kanidm-mail-sender.service\n": (
        "unit kanidm-mail-sender.service",
        "systemctl disable --now kanidm-mail-sender.service",
    ),
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mail.service\n": (
        "unit mail.service",
        "systemctl --user disable --now mail.service",
    ),
    f"0::/machine.slice/libpod-{ID}.scope/container\n": ("container 0123456789ab", "podman stop 0123456789ab"),
    f"0::/system.slice/docker-{ID}.scope\n": ("container 0123456789ab", "docker stop 0123456789ab"),
    "0::/user.slice/user-0.slice/session-1.scope\n": ("", "kill 812"),
    "0::/\n": ("", "kill 812"),
}


def process(proc: Path, pid: int, program: str, groups: str = "0::/\n") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes(f"{program}\0-c\0/etc/kanidm/config\0".encode())
    (folder / "cgroup").write_text(groups)


@pytest.mark.parametrize("groups", PLACES)
def test_a_sender_is_named_with_its_place_and_what_stops_it(tmp_path: Path, groups: str) -> None:
    """A unit would start it again after a kill."""
    process(tmp_path, 812, "/usr/sbin/kanidm-mail-sender", groups)
    (found,) = other_sender.running(tmp_path)
    assert (found.pid, found.place, found.stop) == (812, *PLACES[groups])


def test_other_programs_are_not_taken_for_one(tmp_path: Path) -> None:
    """An editor that has its config open is none; a process that ends meanwhile, or is a kernel's, is none."""
    process(tmp_path, 1, "/usr/bin/vi\0/usr/sbin/kanidm-mail-sender")
    process(tmp_path, 2, "")
    (tmp_path / "3").mkdir()
    (tmp_path / "self").mkdir()
    process(tmp_path, 4, "kanidm_mail_sender")
    assert [str(found) for found in other_sender.running(tmp_path)] == ["kanidm_mail_sender (pid 4)"]
    assert list(other_sender.running(tmp_path / "missing")) == []


def test_doctor_warns_of_one_that_really_runs(tmp_path: Path) -> None:
    """Two senders send every mail twice."""
    program = tmp_path / "kanidm_mail_sender"
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(b"a")
        running.stdin.flush()
        assert running.stdout.read(1) == b"a"  # from now on it is seen under its name
        found = [one for one in asyncio.run(findings()) if f"pid {running.pid}" in one.seen]
    assert [one.level for one in found] == [Level.WARNING]
    assert "every mail is sent twice" in found[0].seen


async def findings() -> list[Finding]:
    return [one async for one in other_sender.other_sender(Subject())]
