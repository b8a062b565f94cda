"""A program of the operator's that is started without a shell: what alerts somebody, what prints a token.

It runs in a session of its own: what it leaves behind ends with it, and if it takes too long, all of it is killed.
The first octets of what it prints are kept, and the rest is dropped, so that nobody waits.
"""

import asyncio
import os
import re
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from mail_sender.names.secret import Secret

TERM_SECONDS = 1.0
"""Between SIGTERM and SIGKILL."""

_NAME = re.compile(r"\.{0,2}/.*|[A-Za-z_.-]{0,16}")
"""What the name of a program that is missing may look like: a path, or a plain word."""
_LAST_WORDS_SECONDS = 0.2  # for what is still in the pipe after the end
# What systemd means for this process alone (sd_notify(3), sd_listen_fds(3)).
_NOT_INHERITED = frozenset({"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS"})


class NotStarted(Exception):
    """The program cannot be started; the message says why, in lower case."""


@dataclass(slots=True)
class Printed:
    """The first octets, up to `most`, of what a program has printed so far.

    `errors` is its standard error; without it, both are in `output`.
    """

    most: int
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray | None = None


async def run(
    command: Sequence[Secret], printed: Printed, seconds: float, *, given: bytes = b"", variables: Mapping[str, str]
) -> int:
    """Run a program with this standard input, and these variables beside ours; return its exit status.

    A negative one is a signal's. Raises `NotStarted`, and `TimeoutError` after so many seconds.
    """
    async with _pipe(printed.output, printed.most) as output:
        if printed.errors is None:
            return await _run(command, (output, output), seconds, given, variables)
        async with _pipe(printed.errors, printed.most) as errors:
            return await _run(command, (output, errors), seconds, given, variables)


def shown(command: Sequence[Secret]) -> str:
    """Return the program of a command, as it is shown: of a whole command line in its place, only the first word.

    A word that is neither a program's name nor a path is hidden: it may be an argument, and the program missing.
    """
    path = command[0].get_secret_value() if command else ""
    if shutil.which(path):
        return path
    first, *more = path.split(maxsplit=1) or [""]
    word = first if _NAME.fullmatch(first) or shutil.which(first) else "***"
    return f"{word} ..." if more else word


def ending(status: int) -> str:
    """Say how a program ended, by the exit status that `run` returned."""
    if status >= 0:
        return f"exits with {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


async def _run(
    command: Sequence[Secret], pipes: tuple[int, int], seconds: float, given: bytes, variables: Mapping[str, str]
) -> int:
    descriptor = os.memfd_create("given")
    try:
        os.write(descriptor, given)
        os.lseek(descriptor, 0, os.SEEK_SET)
        process = await asyncio.create_subprocess_exec(
            *(word.get_secret_value() for word in command),
            stdin=descriptor,
            stdout=pipes[0],
            stderr=pipes[1],
            env={**{name: value for name, value in os.environ.items() if _is_inherited(name)}, **variables},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise NotStarted((getattr(error, "strerror", None) or type(error).__name__).lower()) from None
    finally:
        os.close(descriptor)
    try:
        async with asyncio.timeout(seconds):
            return await process.wait()
    finally:
        await _end(process)


def _is_inherited(name: str) -> bool:
    """Say whether a variable is for the program, too: of the configuration only what names files, never a secret."""
    if name.startswith("MAIL_SENDER_"):
        return name.endswith(("_CONFIG", "_PATH", "_FILE"))
    return name not in _NOT_INHERITED


@asynccontextmanager
async def _pipe(printed: bytearray, most: int) -> AsyncIterator[int]:
    """Give the end of a pipe to write to.

    What a program leaves behind may keep the pipe open, so its end is not waited for.
    """
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(reading, "rb"))
    keeping = asyncio.ensure_future(_keep(reader, printed, most))
    try:
        try:
            yield writing
        finally:
            os.close(writing)
        await asyncio.wait({keeping}, timeout=_LAST_WORDS_SECONDS)
    finally:
        keeping.cancel()
        transport.close()


async def _keep(reader: asyncio.StreamReader, printed: bytearray, most: int) -> None:
    while chunk := await reader.read(4096):
        printed += chunk[: max(0, most - len(printed))]


async def _end(process: Process) -> None:
    """End the program and all that it has started; where we are cancelled, at once."""
    task = asyncio.current_task()
    if process.returncode is None and not (task and task.cancelling()):
        _kill(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(TERM_SECONDS):
                await process.wait()
    _kill(process, signal.SIGKILL)
    if process.returncode is None:
        await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=TERM_SECONDS)


def _kill(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
