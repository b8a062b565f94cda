"""The control socket: how the queue verbs reach the sender that has the ledger.

A unix stream socket in the state folder, open to its owner alone. One connection carries one order: a JSON line, and
back come the lines of the answer, the last of which is an `end`. Lists are asked for page by page, each page by a
connection of its own: a reader who pauses holds up nothing here.

1. Both sides have deadlines and bounded lines; what is no order gets a sentence, and a client that vanishes ends
   what it asked for between two deliveries; an order whose client is gone before it begins is dropped.
2. A socket that a killed sender left behind is nobody's: who has the lock replaces it.
3. Its path may be longer than the 107 bytes that an address holds (unix(7)): then it is named through the folder's
   descriptor.
4. Without it mail goes out all the same: where it cannot be made, that is said.
"""

import asyncio
import json
import os
import select
import socket
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

import structlog
from pydantic import ValidationError

from mail_sender.control import response
from mail_sender.control.command import Command
from mail_sender.control.handler import Handler
from mail_sender.control.response import Line
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger.state_folder import StateFolder

LONGEST_ORDER = 16 * 1024
LONGEST_LINE = 1024 * 1024
MOST_CLIENTS = 16
ORDER_SECONDS = 5.0
"""Seconds for an order to arrive, and for a line of an answer to be taken."""
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 10.0
"""Seconds that a client waits for the next line: where server or disk have to work, and where one only looks."""

_LONGEST_PATH = 107
_BUFFERED = 64 * 1024
_log = structlog.get_logger()


class NoAnswer(MailSenderError):
    """A sender has the ledger, but did not answer."""

    exit_code = Exit.TEMPORARY


class Control:
    """The sender's side. `desk` may be exchanged at any time; orders under way keep theirs."""

    def __init__(self, state: StateFolder, handler: Handler) -> None:
        self.handler = handler
        self._state = state
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, in the place of whatever socket is there: the lock is ours."""
        try:
            with self._state.as_owner():
                listener = _listener(self._state.control)
        except (OSError, MailSenderError) as error:
            _log.warning(
                "control_unavailable", message=f"{error}; mail goes out, but `mail-sender queue` finds nobody"
            )
            return
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST_ORDER)

    async def close(self) -> None:
        """Stop listening, and end what is being answered; closing twice does no harm."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with suppress(OSError):
            self._state.control.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in one
        self._clients.add(task)
        try:
            await self._converse(reader, writer)
            writer.close()
        except (OSError, TimeoutError):
            pass
        finally:
            self._clients.discard(task)
            if not writer.is_closing():
                writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = await _order(reader)
        if _is_gone(writer):
            return  # it was told that nobody answers: what it wanted then may not be what it wants now
        if isinstance(command, str):
            await _write(writer, response.end(Exit.USAGE, command))
        elif len(self._clients) > MOST_CLIENTS:
            await _write(writer, response.end(Exit.TEMPORARY, "too many orders at once: try again in a moment"))
        else:
            async with aclosing(self.handler.answer(command)) as lines:
                async for line in lines:
                    await _write(writer, line)


async def _order(reader: asyncio.StreamReader) -> Command | str:
    """Return the order that a client sends, or what is wrong with it.

    Raises `TimeoutError`.
    """
    try:
        async with asyncio.timeout(ORDER_SECONDS):
            line = await reader.readline()
        return Command.model_validate_json(line)
    except ValidationError:
        return "that is no order that this version knows"
    except ValueError:  # longer than the limit
        return "that order is too long"


def _is_gone(writer: asyncio.StreamWriter) -> bool:
    """Say whether the client has hung up, which is known before the loop has read so far."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)  # POLLHUP always counts; half closed is not gone
    return bool(poll.poll(0))


async def _write(writer: asyncio.StreamWriter, line: Line) -> None:
    writer.write(json.dumps(line).encode() + b"\n")
    if writer.transport.get_write_buffer_size() > _BUFFERED or writer.transport.is_closing():
        async with asyncio.timeout(ORDER_SECONDS):
            await writer.drain()


def _listener(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before it has a name, so that it never stands open
        with _address(path) as name:
            listener.bind(name)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give the path as a socket's address can hold it."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


# The other side

Connection = socket.socket


def connect(state: StateFolder) -> Connection | None:
    """Return a connection to the sender that works on the folder, or None where nobody listens.

    Raises `NoAnswer`.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ORDER_SECONDS)
    try:
        with _address(state.control) as name:
            connection.connect(name)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise NoAnswer(f"{state.control}: {(error.strerror or 'no connection').lower()}; {_LATER}") from None
    return connection


def ask(connection: Connection, command: Command) -> Iterator[Line]:
    """Send an order, and yield the lines of its answer up to the last one, the `end`.

    Raises `NoAnswer` where they stop before.
    """
    with connection, connection.makefile("rb") as lines:
        try:
            connection.sendall(command.model_dump_json(exclude_defaults=True).encode() + b"\n")
            connection.settimeout(LOOK_SECONDS if command.only_looks else ANSWER_SECONDS)
            while text := lines.readline(LONGEST_LINE):
                line: Line = dict(json.loads(text))
                yield line
                if "end" in line:
                    return
        except (OSError, ValueError, TypeError) as error:
            reason = "it takes too long" if isinstance(error, TimeoutError) else "the connection broke"
            dropped = "" if command.only_looks else "; an order that it has not begun by now it drops"
            raise NoAnswer(f"the sender does not answer ({reason}){dropped}; {_LATER}") from None
    raise NoAnswer(f"the sender ended before it answered; {_LATER}")


_LATER = "try again in a moment, and look at its log"
