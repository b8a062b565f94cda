"""The ledger's place on the disk: how large its files are, and how much space is left beside them."""

import os
from pathlib import Path

from mail_sender.ledger import database
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.observe.status import LedgerStatus

_FILES = ("", "-wal", "-shm")


def ledger_status(state: StateFolder | None, config: LedgerConfig | None = None) -> LedgerStatus:
    """Return where the ledger is, and its sizes; without a folder it is in memory."""
    if config is not None and config.kind == "postgresql":
        place = database.target_of(config).place
        return LedgerStatus(kind="postgresql", place=place, size_bytes=None, free_bytes=None)
    if state is None:
        return LedgerStatus(kind="memory", place=None, size_bytes=None, free_bytes=None)
    return LedgerStatus(
        kind="sqlite", place=str(state.ledger), size_bytes=_size(state.ledger), free_bytes=_free(state.path)
    )


def _size(ledger: Path) -> int | None:
    try:
        return sum(_of_file(ledger.with_name(ledger.name + end)) for end in _FILES)
    except OSError:
        return None


def _of_file(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _free(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
