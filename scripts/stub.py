"""Run the stub identity server until Ctrl-C, and with --sender the real sender beside it.

`make stub` starts it in a folder of this clone, which keeps queue and mail for the next time. The output is that of
`server-stub serve`, which also takes all further flags. Ctrl-C ends everything that was started.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
SECONDS = 15.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal, or until a part ends by itself; return the exit code of the part that ended first."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sender", action="store_true", help="start mail-sender too, once the stub answers")
    parser.add_argument("--dir", type=Path, default=ROOT / ".cache/stub", help="the folder of the stub")
    wanted, flags = parser.parse_known_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    started: list[subprocess.Popen[str]] = []
    try:
        wanted.dir.parent.mkdir(parents=True, exist_ok=True)
        more = ["--has-sender"] if wanted.sender else []
        stub = start(started, ended, ["server-stub", "serve", "--dir", str(wanted.dir), *more, *flags])
        if wait_until_ready(stub.stdout) and wanted.sender:
            print("The sender is running, too; its log follows.", flush=True)
            start(started, ended, sender(wanted.dir))
        ended.wait()
        return next((code for part in started if (code := part.poll())), 0)
    except KeyboardInterrupt:
        return 0
    finally:
        for part in reversed(started):
            end(part)


def sender(folder: Path) -> list[str]:
    """Return the command of the sender, which refuses to run as root without -s."""
    root = ["-s"] if os.geteuid() == 0 else []
    return ["mail-sender", *root, "-c", str(folder / "config"), "-m", str(folder / "mail-sender")]


def start(
    started: "list[subprocess.Popen[str]]", ended: threading.Event, command: Sequence[str]
) -> "subprocess.Popen[str]":
    """Start a program of this environment, and set `ended` when it ends."""
    program = [str(PROGRAMS / command[0]), *command[1:]]
    pipe = subprocess.PIPE if command[0] == "server-stub" else None
    # In a session of its own: Ctrl-C comes to this script alone, which ends the parts in their order.
    process = subprocess.Popen(program, stdout=pipe, text=True, start_new_session=True)
    started.append(process)

    def watch() -> None:
        process.wait()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    return process


def wait_until_ready(said: IO[str] | None) -> bool:
    """Pass on what the stub says until it says that it is ready; False where it ended instead."""
    for line in said or ():
        if line == "ready\n":
            return True
        print(line, end="", flush=True)
    return False


def end(process: "subprocess.Popen[str]") -> None:
    """End a program that this script started, if it still runs."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
