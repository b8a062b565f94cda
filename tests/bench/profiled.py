"""The sender under a sampling profiler: where its CPU time goes, room by room.

1. The kernel sends a signal after each few milliseconds of the process's own CPU time (setitimer(2)). Python handles it
   where the main thread stands, between two of its instructions. It is ITIMER_VIRTUAL, since the sandbox of the
   templates has a use for ITIMER_PROF, and ITIMER_REAL would mostly find who waits.
2. Each thread has the CPU time counted that the kernel gave it since the last look (proc(5), schedstat of each task):
   for the room of `mail_sender` that it is in, and the function that runs. So threads that wait do not count.
3. It begins once there is a file `BENCH_PROFILE.begins`; the report goes to the file that `BENCH_PROFILE` names, when the
   program ends.

A thread beside the main one is only seen where it lets go of Python's lock: for those, the function is a rough guess.
"""

import atexit
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

from mail_sender import __main__ as program

_EVERY = 0.001
_MOST = 40
_TASKS = Path("/proc/self/task")


class Sampler:
    """What was seen since there is a file `begins`."""

    def __init__(self, begins: Path) -> None:
        self.rooms: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self._begins = begins
        self._has_begun = False
        self._used: dict[int, int] = {}

    def start(self) -> None:
        """Look from now on; call it in the main thread."""
        signal.signal(signal.SIGVTALRM, self._look)
        signal.setitimer(signal.ITIMER_VIRTUAL, _EVERY, _EVERY)

    def end(self) -> str:
        """Stop looking, and return the shares of rooms, and of the functions that used most."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
        whole = sum(self.rooms.values()) or 1
        lines = [f"{whole / 1e9:.2f} s of CPU"]
        for title, counted in (("rooms", self.rooms), ("files", self.files), ("functions", self.functions)):
            lines += ["", title, *(f"{used / whole:7.1%}  {name}" for name, used in counted.most_common(_MOST))]
        return "\n".join([*lines, ""])

    def _look(self, _number: int, main_frame: FrameType | None) -> None:
        if not self._has_begun and not self._begins.exists():
            return
        frames: dict[int, FrameType | None] = dict(sys._current_frames())
        frames[threading.main_thread().ident or 0] = main_frame
        for thread in threading.enumerate():
            if thread.native_id is not None and thread.ident is not None:
                used, frame = self._since(thread.native_id), frames.get(thread.ident)
                if self._has_begun and used and frame is not None:
                    self._count(frame, used)
        self._has_begun = True

    def _count(self, frame: FrameType, used: int) -> None:
        file = _file(frame)
        self.rooms[file.partition("/")[0]] += used
        self.files[file] += used
        self.functions[_function(frame)] += used

    def _since(self, native: int) -> int:
        try:
            used = int((_TASKS / str(native) / "schedstat").read_text().split()[0])
        except (OSError, IndexError):
            return 0
        before, self._used[native] = self._used.get(native, 0), used
        return used - before


def _file(frame: FrameType | None) -> str:
    while frame is not None:
        _, found, rest = frame.f_code.co_filename.partition("/mail_sender/")
        if found:
            return "event loop" if rest == "lifecycle.py" else rest
        frame = frame.f_back
    return "asyncio and libraries"


def _function(frame: FrameType) -> str:
    code = frame.f_code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_name}"


def main() -> None:
    """Run mail-sender under the sampler."""
    report = Path(os.environ["BENCH_PROFILE"])
    sampler = Sampler(report.with_suffix(".begins"))
    atexit.register(lambda: report.write_text(sampler.end()))
    sampler.start()
    program.main()


if __name__ == "__main__":
    main()
