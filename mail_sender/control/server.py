"""The control socket of a running sender, which has the ledger: here `mail-sender queue` asks it to do things.

It is a unix stream socket in the state folder, open to its owner alone. One connection carries one command, a JSON
line; back come the lines of the response, the last of which is an `end`. A list is asked for page by page, each page
by a connection of its own, so a reader who pauses holds up nothing here.

1. Both ends have deadlines and bounded lines, and connections are bounded, too. A line that is no command gets a
   sentence.
2. A client that vanishes ends what it asked for, between two deliveries. A command whose client has gone before the
   command begins is dropped.
3. A socket that a killed sender left behind belongs to nobody: who has the lock replaces it.
4. If the socket cannot be made, the log says so, and mail goes out all the same.
"""

import asyncio
import json
import select
from contextlib import aclosing, suppress
from typing import cast

import structlog

from mail_sender.control import response, unix_socket
from mail_sender.control.command import BadCommand, Command
from mail_sender.control.handler import Handler
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger.state_folder import StateFolder

MOST_CLIENTS = 16
MOST_CONNECTIONS = 64
"""Connections, with those that have not said yet what they want; each takes a descriptor."""
_BUFFERED = 64 * 1024
_log = structlog.get_logger()


class Control:
    """The listening end. `handler` may be replaced at any time; commands that have begun keep theirs."""

    def __init__(self, state: StateFolder, handler: Handler) -> None:
        self.handler = handler
        self._state = state
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, in the place of whatever socket is there: the lock is ours."""
        try:
            with self._state.as_owner():
                listener = unix_socket.listener(self._state.control)
        except (OSError, MailSenderError) as error:
            message = f"{error}; mail goes out, but `mail-sender queue` cannot reach this sender"
            _log.warning("control_unavailable", message=message)
            return
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=unix_socket.LONGEST_COMMAND)

    async def close(self) -> None:
        """Stop listening, and end what is being answered; closing twice does no harm."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with suppress(OSError, MailSenderError), self._state.as_owner():
            self._state.control.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._clients.add(task)
        try:
            if len(self._clients) <= MOST_CONNECTIONS:
                await self._converse(reader, writer)
                writer.close()
                async with asyncio.timeout(unix_socket.SECONDS):  # for the last lines to be taken
                    await writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = await _command(reader)
        if _is_gone(writer):
            return  # it has reported that nobody answers, and its user may want something else by now
        if isinstance(command, str):
            await _write(writer, response.end(Exit.USAGE, command))
        elif len(self._clients) > MOST_CLIENTS:
            await _write(writer, response.end(Exit.TEMPORARY, "too many commands at once: try again in a moment"))
        else:
            async with aclosing(self.handler.answer(command)) as lines:
                async for line in lines:
                    await _write(writer, line)


async def _command(reader: asyncio.StreamReader) -> Command | str:
    """Return the command that a client sends, or what is wrong with it. Raises `TimeoutError`."""
    try:
        async with asyncio.timeout(unix_socket.SECONDS):
            line = await reader.readline()
        return Command.from_json(line)
    except BadCommand:
        return "that command is unknown to this version"
    except ValueError:  # longer than the limit
        return "that command is too long"


def _is_gone(writer: asyncio.StreamWriter) -> bool:
    """Say whether the client has hung up, which is known before the loop has read so far."""
    if writer.transport.is_closing():
        return True
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)  # POLLHUP always counts; half closed is not gone
    return bool(poll.poll(0))


async def _write(writer: asyncio.StreamWriter, line: ResponseLine) -> None:
    writer.write(json.dumps(line).encode() + b"\n")
    if writer.transport.get_write_buffer_size() > _BUFFERED or writer.transport.is_closing():
        async with asyncio.timeout(unix_socket.SECONDS):
            await writer.drain()
