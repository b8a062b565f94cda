"""The client's end of the control socket: one connection asks a running sender for one thing."""

import json
import os
import socket
import stat
from collections.abc import Iterator
from itertools import count

from mail_sender.control import unix_socket
from mail_sender.control.command import Command
from mail_sender.control.lines import Lines
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit, MailSenderError, NotAllowed
from mail_sender.ledger import own_files
from mail_sender.ledger.state_folder import StateFolder

Connection = socket.socket

_MOST_LINES = 100
"""Lines of an answer that is no list: whoever says more than that is no sender."""
_LATER = "try again in a moment, and read the sender's log"


class NoAnswer(MailSenderError):
    """A sender has the ledger, but did not answer; `reason` says why, the message what to do, too."""

    exit_code = Exit.TEMPORARY

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def connect(state: StateFolder) -> Connection | None:
    """Return a connection to the sender that works on the folder, or None if nobody listens.

    Raises `NoAnswer`, `NotAllowed`, and `ForeignFile` if something else than a socket is there.
    """
    try:
        with state.as_owner():
            own_files.inspect(state.control, state.files_owner, stat.S_IFSOCK)
            return _connected(state)
    except PermissionError:
        who = f"uid {os.geteuid()} may not ask a sender in {state.path}"
        raise NotAllowed(f"{who}; run this as the sender's user, or as root") from None
    except OSError as error:
        reason = (error.strerror or "no connection").lower()
        raise NoAnswer(reason, f"{state.control}: {reason}; {_LATER}") from None


def _connected(state: StateFolder) -> Connection | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(unix_socket.SECONDS)
    try:
        with unix_socket.address(state.control) as name:
            connection.connect(name)
    except OSError as error:
        connection.close()
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return None
        raise
    return connection


def ask(connection: Connection, command: Command) -> Iterator[ResponseLine]:
    """Send a command, and yield the lines of its response up to the last one, the `end`.

    Raises `NoAnswer` if they stop before, or do not come in time.
    """
    row = command.row
    with connection:
        try:
            connection.sendall(command.to_json())
            lines = Lines(connection, unix_socket.LONGEST_RESPONSE_LINE, row.seconds, in_all=not row.is_of_queue)
            for number in count():
                if not (text := lines.next()):
                    break
                if number >= _MOST_LINES and not row.is_of_queue:
                    raise ValueError("an answer without an end")
                line: ResponseLine = dict(json.loads(text))
                yield line
                if "end" in line:
                    return
        except (OSError, ValueError, TypeError, RecursionError) as error:
            reason = "it takes too long" if isinstance(error, TimeoutError) else "the connection broke"
            dropped = "" if row.reads_only else "; it drops the command unless it has begun with it"
            raise NoAnswer(reason, f"the sender does not answer ({reason}){dropped}; {_LATER}") from None
    raise NoAnswer("it ended before it answered", f"the sender ended before it answered; {_LATER}")
