"""What SQLite and the disk report, in words with a cure."""

import errno
import os
from pathlib import Path

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger import sqlite_faults


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
