"""The lock: one process at a time has the ledger of a state folder open for writing.

The lock is an flock(2) on a file beside the ledger; the file's text names the holder, for people. Another process
stands by until the lock is free. The kernel frees it when its holder dies.
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from socket import gethostname

import structlog

from mail_sender.clock import Clock
from mail_sender.ledger.state_folder import StateFolder, in_words

LOOK_AGAIN = 1.0
"""Seconds between two looks at a lock that somebody else holds."""

_log = structlog.get_logger()


class Lock:
    """The right to open the ledger of a folder; it ends with the process at the latest."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock if it is free; say whether it is ours now. Raises `UnusableLedger`."""
        if self._descriptor is None:
            with in_words(self._state), self._state.as_owner():
                self._descriptor = _locked(self._state.lock)
        return self._descriptor is not None

    def holder(self) -> str:
        """Return who holds the lock, as far as its text tells."""
        try:
            text = self._state.lock.read_text(errors="replace")[:100].strip()
        except OSError:
            text = ""
        return "".join(char for char in text if char.isprintable()) or "somebody"

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def stand_by(self, stop: asyncio.Event, clock: Clock) -> bool:
        """Take the lock as soon as it is free; return False if the stop event was set before.

        Raises as `take` does.
        """
        waited = False
        while not self.take():
            if not waited:
                message = "another mail-sender uses this ledger; this one takes over when the other one ends"
                _log.warning("standing_by", holder=self.holder(), folder=str(self._state.path), message=message)
                waited = True
            if await clock.wait(stop, LOOK_AGAIN):
                return False
        if waited:
            _log.info("taking_over", folder=str(self._state.path))
        return True


def _locked(path: Path) -> int | None:
    """Return the descriptor of a lock file that is locked now, or None if somebody else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise FileNotFoundError  # it was removed meanwhile: what is locked, nobody else would meet
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError | FileNotFoundError):
            return None
        raise
    with suppress(OSError):  # a full disk: nothing but the name is missing then
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {gethostname()}\n".encode(), 0)
    return descriptor
