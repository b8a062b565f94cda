"""The lock: one process at a time has the ledger of a state folder open for writing.

The lock is an flock(2) on the folder itself, so that nothing in it can be removed to get a second lock, and one on a
file in it, whose text names the holder, for people. An older version locks the file alone. Another process stands by
until both are free. The kernel frees them when their holder dies.
"""

import asyncio
import fcntl
import os
from contextlib import ExitStack, suppress
from socket import gethostname

import structlog

from mail_sender.clock import Clock
from mail_sender.ledger import own_files
from mail_sender.ledger.own_files import ForeignFile
from mail_sender.ledger.state_folder import StateFolder, in_words

LOOK_AGAIN = 1.0
"""Seconds between two looks at a lock that somebody else holds."""

_log = structlog.get_logger()


class Lock:
    """The right to open the ledger of a folder; it ends with the process at the latest."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._held = ExitStack()
        self._is_held = False

    def take(self) -> bool:
        """Take the lock if it is free; say whether it is ours now. Raises `UnusableLedger`."""
        if not self._is_held:
            with ExitStack() as held, in_words(self._state), self._state.as_owner():
                self._is_held = self._take(held)
                if self._is_held:
                    self._held = held.pop_all()
        return self._is_held

    def _take(self, held: ExitStack) -> bool:
        """Lock folder and file, and have `held` close them."""
        folder = os.open(self._state.path, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, folder)
        if not _is_locked(folder) or not os.path.samestat(os.fstat(folder), self._state.path.stat()):
            return False  # or it was renamed meanwhile: what is locked, nobody else would meet
        file = own_files.opened(self._state.lock, os.O_RDWR | os.O_CREAT, self._state.files_owner)
        held.callback(os.close, file)
        if not _is_locked(file):
            return False
        with suppress(OSError):  # a full disk: nothing but the name is missing then
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()} on {gethostname()}\n".encode(), 0)
        return True

    def holder(self) -> str:
        """Return who holds the lock, as far as its text tells."""
        try:
            with self._state.as_owner():
                file = own_files.opened(self._state.lock, os.O_RDONLY, self._state.files_owner)
            with os.fdopen(file, errors="replace") as readable:
                text = readable.read(100).strip()
        except (OSError, ForeignFile):
            text = ""
        return "".join(char for char in text if char.isprintable()) or "somebody"

    def release(self) -> None:
        """Give the lock back."""
        self._held.close()
        self._is_held = False

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


def _is_locked(descriptor: int) -> bool:
    """Lock what is open there, unless somebody else holds it; say whether it is locked now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
