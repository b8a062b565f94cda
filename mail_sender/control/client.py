"""The client of the queue verbs: it finds who can answer, a running sender or this process itself.

1. A sender answers on the control socket: it is asked (`connection`).
2. Nobody answers, and the lock is free: the ledger is opened here, under the lock (`local_access`). A command that
   only reads changes nothing, and gives the lock back once the ledger is open, so that a list that somebody reads for
   an hour keeps no sender from starting.
3. Somebody has the lock, but does not answer: a sender that is starting, or another queue verb. After a few seconds
   the client says so, and the operator may try again.
4. A ledger in a database is opened beside all senders that share it: no lock is asked for.

If the user is root, socket, lock and ledger are opened as the folder's owner.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from mail_sender.control import connection
from mail_sender.control.command import Command
from mail_sender.control.connection import Connection
from mail_sender.control.response import ResponseLine
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import BusyLedger, StateFolder

if TYPE_CHECKING:
    from mail_sender.control.local_access import LocalAccess
    from mail_sender.ledger.config import LedgerConfig
    from mail_sender.source.base import Source

PATIENCE = 3.0
"""Seconds for a sender that is starting, or for another queue verb that is at work."""
_TRY_EVERY = 0.1


class Client(AbstractContextManager["Client", None]):
    """The way to the ledger of a folder, used as a context manager.

    `source` makes what a message is read from, where that is needed and no sender does it. `shared` names the
    database that the ledger is in: then the folder has only the socket of a sender, if there is one here.
    """

    def __init__(
        self,
        state: StateFolder,
        source: "Callable[[], Source] | None" = None,
        shared: "Callable[[], LedgerConfig] | None" = None,
    ) -> None:
        self._state = state
        self._make_source = source
        self._shared = shared
        self._lock = Lock(state)
        self._local: LocalAccess | None = None
        self._opened = ExitStack()

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        self._opened.close()

    def ask(self, command: Command) -> Iterator[ResponseLine]:
        """Yield the lines of the response; the last one is its `end`.

        Raises `MailSenderError` if nobody can answer.
        """
        if self._local is None:
            found = connection.connect(self._state) if self._shared else self._connection_or_lock()
            if found is not None:
                return connection.ask(found, command)
            self._local = self._open(command)
        return self._local.answer(command)

    def _connection_or_lock(self) -> Connection | None:
        """Return a connection to the sender, or None once the lock is ours."""
        until = time.monotonic() + PATIENCE
        while True:
            if (found := connection.connect(self._state)) is not None:
                return found
            if self._lock.take():
                self._opened.callback(self._lock.release)
                return None
            if time.monotonic() > until:
                raise BusyLedger(
                    f"{self._lock.holder()} has the ledger in {self._state.path}, but does not answer; "
                    "try again in a moment: it may be starting, or be another queue command"
                )
            time.sleep(_TRY_EVERY)

    def _open(self, command: Command) -> "LocalAccess":
        from mail_sender.control.local_access import LocalAccess  # noqa: PLC0415 - beside a sender nobody needs it

        source = self._make_source() if self._make_source else None
        shared = self._shared() if self._shared else None
        local = LocalAccess(self._state, source, reads_only=command.row.reads_only, shared=shared)
        self._opened.callback(local.close)
        local.open()
        if command.row.reads_only:
            self._lock.release()
        return local
