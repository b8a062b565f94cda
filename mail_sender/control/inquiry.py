"""The inquiry after the status: of the running sender, or of what its ledger shows where none answers.

1. A sender answers: the status is its own.
2. None runs here: the ledger is read, and nothing in it is changed. Where there is none yet, that is the status. A
   ledger in a database says which senders run elsewhere.
3. Somebody has the ledger, and does not answer in time: it hangs, starts or stops. The status says so, with what the
   ledger shows beside it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from mail_sender.control.client import Client
from mail_sender.control.command import Command
from mail_sender.control.connection import NoAnswer
from mail_sender.control.local_access import LocalAccess
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.state_folder import BusyLedger, StateFolder
from mail_sender.observe import ledger_alone
from mail_sender.observe.status import Status

_ASKED = Command("status")
_ADVICE = "read its log, and restart it if it hangs"


class NoStatus(MailSenderError):
    """The status cannot be had; `exit_code` says why."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = Exit(code)


def status(state: StateFolder, shared: Callable[[], LedgerConfig] | None = None) -> Status:
    """Return the status of a folder that has a ledger, or of the database that `shared` names.

    Raises `NoStatus`, and `MailSenderError` for a ledger that cannot be used.
    """
    try:
        with Client(state, shared=shared) as client:
            return _read([*client.ask(_ASKED)])
    except NoAnswer as error:
        return _unanswered(state, f"{Lock(state).holder()} ({error.reason}); {_ADVICE}", shared)
    except BusyLedger as error:
        return _unanswered(state, str(error), shared)


def _read(lines: list[ResponseLine]) -> Status:
    found = next((line["status"] for line in lines if "status" in line), None)
    end = lines[-1]["end"]
    if found is None and end["exit"] == Exit.USAGE:
        raise NoStatus("the running sender is of another version, and gives no status: restart it", Exit.FAILED)
    if found is None:
        raise NoStatus(end["message"], end["exit"])
    try:
        return TypeAdapter(Status).validate_python(found)  # a newer sender may say more
    except ValueError:
        message = "the running sender is of another version, and its status cannot be read: restart it"
        raise NoStatus(message, Exit.FAILED) from None


def _unanswered(state: StateFolder, why: str, shared: Callable[[], LedgerConfig] | None) -> Status:
    """Return what the ledger shows, or as much as can be had beside a sender that has it, and hangs."""
    database = shared() if shared else None
    found = ledger_alone.without_ledger(state, datetime.now(UTC), database)
    local = LocalAccess(state, None, reads_only=True, shared=database)
    try:
        with suppress(MailSenderError):
            local.open()
            found = _read([*local.answer(_ASKED)])
    finally:
        local.close()
    return replace(found, unanswered=why)
