"""The sender under a sampling profiler: where its CPU time goes, room by room.

A thread of its own looks at every other thread every few milliseconds: the CPU time that the thread has used since
(proc(5), schedstat of each task) goes to the room of `mail_sender` that it was in, and to the function that ran. Threads
that wait use none, so that they do not count. It begins once there is a file `BENCH_PROFILE.begins`; the report goes to
the file that `BENCH_PROFILE` names, once the program ends.

A thread is only seen where it lets go of Python's lock: figures of a few per cent are rough.
"""

import atexit
import os
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

_EVERY = 0.002
_MOST = 40
_TASKS = Path("/proc/self/task")


class Sampler(threading.Thread):
    """The thread that looks, once there is a file `begins`."""

    def __init__(self, begins: Path) -> None:
        super().__init__(daemon=True)
        self.rooms: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self._begins = begins
        self._ended = threading.Event()
        self._used: dict[int, int] = {}

    def run(self) -> None:
        """Look until the program ends, from when the queue fills."""
        while not self._begins.exists():
            self._ended.wait(_EVERY)
        self._look()
        self.forget()
        while not self._ended.wait(_EVERY):
            self._look()

    def forget(self) -> None:
        """Forget what was seen so far."""
        for counted in (self.rooms, self.files, self.functions):
            counted.clear()

    def end(self) -> str:
        """Stop looking, and return the shares of rooms, and of the functions that used most."""
        self._ended.set()
        self.join()
        whole = sum(self.rooms.values()) or 1
        lines = [f"{whole / 1e9:.2f} s of CPU"]
        for title, counted in (("rooms", self.rooms), ("files", self.files), ("functions", self.functions)):
            lines += ["", title, *(f"{used / whole:7.1%}  {name}" for name, used in counted.most_common(_MOST))]
        return "\n".join([*lines, ""])

    def _look(self) -> None:
        frames = sys._current_frames()
        for thread in threading.enumerate():
            native, ident = thread.native_id, thread.ident
            if thread is self or native is None or ident is None:
                continue
            used = self._since(native)
            if used and (frame := frames.get(ident)) is not None:
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
    sys.setswitchinterval(0.0005)
    sampler.start()
    from mail_sender.__main__ import main as run  # noqa: PLC0415 - what imports cost is seen, too

    run()


if __name__ == "__main__":
    main()
