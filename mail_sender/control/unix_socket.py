"""What both ends of the control socket share: how its path becomes an address, and how long a line may be and take.

A unix socket's address holds 107 bytes (unix(7)), and a path may be longer: then the socket is named through the
descriptor of its folder.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_COMMAND = 16 * 1024
LONGEST_RESPONSE_LINE = 1024 * 1024
"""Bytes."""
SECONDS = 5.0
"""Seconds for a command to arrive, and for a line of its response to be taken."""

_LONGEST_ADDRESS = 107


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Give the path as a socket's address can hold it, for as long as this lasts.

    Raises `OSError` if the folder cannot be opened.
    """
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listener(path: Path) -> socket.socket:
    """Return a socket that listens at a path, for its owner alone; it replaces what is there. Raises `OSError`."""
    with suppress(FileNotFoundError):
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(made.fileno(), 0o600)  # before it has a name, so that it never stands open
        with address(path) as name:
            made.bind(name)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)
    return made
