"""Kanidm's own sender on this machine: two senders on one queue send every mail twice.

Running programs are found in /proc (proc(5)). A sender in another container, or on another machine, is not seen.
"""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject

_NAMES = frozenset({"kanidm-mail-sender", "kanidm_mail_sender"})
_CONTAINER = re.compile(r"/(docker|libpod)-([0-9a-f]{12})[0-9a-f]*\.scope")
_UNIT = re.compile(r"/(?!user@)([^/\s]+\.service)$", re.MULTILINE)
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class OtherSender:
    """A sender that runs: its process, where it runs (a systemd unit, a container), and the command that stops it."""

    name: str
    pid: int
    place: str
    stop: str

    def __str__(self) -> str:
        """Name it."""
        return f"{self.name} (pid {self.pid}{self.place and ', '}{self.place})"


async def other_sender(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Warn of each of Kanidm's own senders that runs here; say nothing if there is none."""
    del subject  # it is about the machine
    for found in running():
        seen = f"{found} runs here: if it polls the same identity server, every mail is sent twice"
        yield Topic.CONFIGURATION.warning("other_sender", seen, f"stop it: {found.stop}")


def running(proc: Path = _PROC) -> Iterator[OtherSender]:
    """Yield the senders of Kanidm's that can be seen, by process id."""
    for pid in _processes(proc):
        with suppress(OSError):  # it has ended, or is hidden from us
            name = Path((proc / str(pid) / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")).name
            if name in _NAMES:
                yield OtherSender(name, pid, *_place(pid, (proc / str(pid) / "cgroup").read_text()))


def _processes(proc: Path) -> list[int]:
    try:
        return sorted(int(folder.name) for folder in proc.iterdir() if folder.name.isdecimal())
    except OSError:  # there is no /proc here
        return []


def _place(pid: int, groups: str) -> tuple[str, str]:
    """Return the container or the unit that control groups name, and how to stop it (systemd.unit(5), cgroups(7))."""
    if found := _CONTAINER.search(groups):
        engine = "docker" if found[1] == "docker" else "podman"
        return f"container {found[2]}", f"{engine} stop {found[2]}"
    if found := _UNIT.search(groups):
        return f"unit {found[1]}", f"systemctl {'--user ' if '/user@' in groups else ''}disable --now {found[1]}"
    return "", f"kill {pid}"
