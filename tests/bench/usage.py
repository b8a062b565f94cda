"""What a process has used so far, as the kernel counts it (proc(5))."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pids: Iterable[int]) -> float:
    """Return the CPU time of processes, all threads, user and system, in seconds."""
    return sum(_cpu(Path(f"/proc/{pid}/stat").read_text()) for pid in pids)


def cpu_with_children(pid: int) -> float:
    """Return the CPU time of a process and of those that it has started and waited for, in seconds."""
    return sum(map(int, _fields(Path(f"/proc/{pid}/stat").read_text())[11:15])) / _TICKS


def cpu_of_family(pid: int) -> float:
    """Return the CPU time of a process, of its children, and of those that it has waited for, in seconds."""
    used = cpu_with_children(pid)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            stat = path.read_text()
            used += _cpu(stat) if int(_fields(stat)[1]) == pid else 0.0
    return used


def cpu_of_threads(pid: int) -> float:
    """Return the CPU time of the threads that a process has now, in seconds: to the nanosecond, where ticks are too long."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _cpu(stat: str) -> float:
    return sum(map(int, _fields(stat)[11:13])) / _TICKS


def _fields(stat: str) -> list[str]:
    return stat.rpartition(")")[2].split()  # the name before it may hold anything


def peak(pid: int) -> float:
    """Return the most memory that a process has had resident, in MB (VmHWM)."""
    return _status(pid, "VmHWM")


def resident(pid: int) -> float:
    """Return the memory that a process has resident now, in MB (VmRSS)."""
    return _status(pid, "VmRSS")


def _status(pid: int, key: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{key}:"))) / 1024
