"""The command: a program that is started for each alert, without a shell.

It gets the alert as JSON on standard input and as variables of the environment, and has taken it if it exits with 0.
It runs in a session of its own: what it leaves behind ends with it, and if it takes too long, all of it is killed.
"""

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from mail_sender.observe.alerts.alert import Alert, Origin, fields
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.receiver import LONGEST_ANSWER, SECONDS, NotDelivered, shown

TERM_SECONDS = 1.0
"""Between SIGTERM and SIGKILL."""

_LAST_WORDS_SECONDS = 0.2  # for what is still in the pipe after the end
_PREFIX = "MAIL_SENDER_ALERT_"
# What systemd means for this process alone (sd_notify(3), sd_listen_fds(3)).
_NOT_INHERITED = frozenset({"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS"})
_ADVICE = "run `mail-sender alert test`, and the program by hand"


class Command:
    """The receiver that is the program of `[alert] command`; its arguments are never shown."""

    name = "command"

    def __init__(self, config: AlertConfig, origin: Origin) -> None:
        self._config = config
        self._origin = origin
        self.place = f"the command {config.program}"

    async def deliver(self, alert: Alert) -> str:
        """Run the program, and return what it printed. Raises `NotDelivered`."""
        printed = bytearray()
        values = fields(alert, self._origin)
        try:
            async with _output(printed) as output:
                status = await self._run(values, output)
        except TimeoutError:
            raise NotDelivered(
                f"{self.place} did not end within {SECONDS:.0f} s{self._said(printed)}", _ADVICE
            ) from None
        if status:
            how = f"exits with {status}" if status > 0 else f"was killed by {_signal_name(-status)}"
            raise NotDelivered(f"{self.place} {how}{self._said(printed)}", _ADVICE, is_answered=True)
        return f"exit code 0{self._said(printed)}"

    async def _run(self, values: Mapping[str, object], output: int) -> int:
        """Return its exit status; a negative one is a signal's. Raises `NotDelivered`, and `TimeoutError`."""
        descriptor = os.memfd_create("alert")
        try:
            os.write(descriptor, json.dumps(values).encode())
            os.lseek(descriptor, 0, os.SEEK_SET)
            process = await asyncio.create_subprocess_exec(
                *(word.get_secret_value() for word in self._config.command),
                stdin=descriptor,
                stdout=output,
                stderr=output,
                env=_environment(values),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
            advice = "correct [alert] command: a program and its arguments, each a text of its own"
            raise NotDelivered(f"{self.place} cannot be started: {reason}", advice) from None
        finally:
            os.close(descriptor)
        try:
            async with asyncio.timeout(SECONDS):
                return await process.wait()
        finally:
            await _end(process)

    def _said(self, printed: bytearray) -> str:
        text = shown(bytes(printed), self._config)
        return f": {text}" if text else ""


def _environment(values: Mapping[str, object]) -> dict[str, str]:
    own = {f"{_PREFIX}{name.upper()}": "" if value is None else str(value) for name, value in values.items()}
    return {**{name: value for name, value in os.environ.items() if _is_inherited(name)}, **own}


def _is_inherited(name: str) -> bool:
    """Say whether a variable is for the program, too: of the configuration only what names files, never a secret."""
    if name.startswith("MAIL_SENDER_"):
        return name.endswith(("_CONFIG", "_PATH", "_FILE"))
    return name not in _NOT_INHERITED


@asynccontextmanager
async def _output(printed: bytearray) -> AsyncIterator[int]:
    """Give the end of a pipe to write to; the first octets are kept, and the rest is dropped, so that nobody waits.

    What a program leaves behind may keep the pipe open, so its end is not waited for.
    """
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(reading, "rb"))
    keeping = asyncio.ensure_future(_keep(reader, printed))
    try:
        try:
            yield writing
        finally:
            os.close(writing)
        await asyncio.wait({keeping}, timeout=_LAST_WORDS_SECONDS)
    finally:
        keeping.cancel()
        transport.close()


async def _keep(reader: asyncio.StreamReader, printed: bytearray) -> None:
    while chunk := await reader.read(LONGEST_ANSWER):
        printed += chunk[: max(0, LONGEST_ANSWER - len(printed))]


async def _end(process: Process) -> None:
    """End the program and all that it has started; where the delivery was cancelled, at once."""
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
