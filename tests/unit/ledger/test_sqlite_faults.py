"""What SQLite and the disk report, in words with a cure."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger import sqlite_faults

FULL = sqlite_faults.full(Path("ledger.db"))


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EACCES, "readable and writable for mail-sender's user"),
        (errno.EPERM, "readable and writable for mail-sender's user"),
        (errno.EIO, "check the disk"),
    ],
)
def test_a_folder_that_is_closed_to_us_is_no_fault_of_the_disk(number: int, cure: str) -> None:
    """Somebody changes its owner or its mode while a sender runs."""
    with pytest.raises(LedgerFault) as caught, sqlite_faults.in_words(Path("ledger.db")):
        raise OSError(number, os.strerror(number))
    assert cure in caught.value.advice


@pytest.mark.parametrize(("free", "said"), [(3, FULL.detail), (64, "ledger.db: the disk cannot be read or written")])
def test_a_full_disk_is_named_where_sqlite_speaks_of_its_input_and_output(
    free: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot make its `-shm` file larger, and reports SQLITE_IOERR_SHMSIZE: "check the disk" would mislead."""
    monkeypatch.setattr(
        os, "statvfs", lambda _path: os.statvfs_result((4096, 4096, 9999, free, free, 9, 9, 9, 0, 255))
    )
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    with pytest.raises(LedgerFault) as caught, sqlite_faults.in_words(Path("ledger.db")):
        raise error
    assert caught.value.detail == said
    assert (caught.value.kind == FULL.kind) == (said == FULL.detail)
