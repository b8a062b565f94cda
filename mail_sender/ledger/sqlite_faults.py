"""What SQLite and the disk report, as a `LedgerFault` with what happened and what to do."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mail_sender.errors import LedgerFault

ELSEWHERE = "close that program: mail then goes on by itself"
"""What to do about a ledger that another program holds."""


_ROOM = 64 * 1024
"""Free octets below which a disk is full to SQLite: the file beside the write-ahead log needs half of it."""


class Unreadable(ValueError):
    """A row holds what cannot have been written there."""


@contextmanager
def in_words(path: Path | None) -> Iterator[None]:
    """Raise what SQLite and the disk do as `LedgerFault`; `path` is None for a ledger in memory."""
    place = str(path) if path else "the ledger in memory"
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
        if "decode" in str(error):  # what SQLite holds for text is none; it quotes it
            kind = "SQLITE_CORRUPT"
        if kind.startswith("SQLITE_IOERR") and _is_full(path):
            kind = "SQLITE_FULL"
        detail, advice = _WORDS.get(kind, _WORDS.get("_".join(kind.split("_")[:2]), (f"{error}", "check the disk")))
        raise LedgerFault(kind, f"{place}: {detail}", advice) from error
    except (Unreadable, UnicodeDecodeError) as error:
        what = error if isinstance(error, Unreadable) else "it is damaged"  # the other one quotes the row
        raise LedgerFault("SQLITE_CORRUPT", f"{place}: {what}", _DAMAGED) from error
    except OSError as error:
        detail = (error.strerror or "it cannot be read").lower()
        advice = _OWNER if error.errno in {errno.EACCES, errno.EPERM} else "check the disk"
        raise LedgerFault("disk", f"{place}: {detail}", advice) from error


_DAMAGED = "restore it, or move it away: mail-sender then forgets what was sent, and may repeat mail"
_OWNER = "make it and its folder readable and writable for mail-sender's user"
_WORDS = {
    "SQLITE_FULL": (
        "the disk is full",
        "free some space, or give the ledger a larger disk (4 MB at least): mail then goes on by itself",
    ),
    "SQLITE_IOERR": ("the disk cannot be read or written", "check the disk: mail then goes on by itself"),
    "SQLITE_READONLY": ("it cannot be written", _OWNER),
    "SQLITE_CANTOPEN": ("it cannot be opened", _OWNER),
    "SQLITE_BUSY": ("another program has locked it", ELSEWHERE),
    "SQLITE_LOCKED": ("another program has locked it", ELSEWHERE),
    "SQLITE_CORRUPT": ("it is damaged", _DAMAGED),
    "SQLITE_NOTADB": ("it is not a ledger", _DAMAGED),
}


def _is_full(path: Path | None) -> bool:
    """Say whether the ledger's disk is full: where SQLite cannot enlarge `-shm`, it reports SQLITE_IOERR_SHMSIZE."""
    try:
        disk = os.statvfs(path.parent) if path else None
    except OSError:
        return False
    return disk is not None and disk.f_bavail * disk.f_frsize < _ROOM


def full(path: Path | None) -> LedgerFault:
    """Return the fault of a disk that is full, as where SQLite itself reports it."""
    detail, advice = _WORDS["SQLITE_FULL"]
    return LedgerFault("SQLITE_FULL", f"{path}: {detail}", advice)


def may_be_full(error: sqlite3.Error) -> bool:
    """Say whether a full disk or a quota may have caused the error: SQLite has a name of its own only for ENOSPC."""
    return getattr(error, "sqlite_errorname", None) in {"SQLITE_FULL", "SQLITE_IOERR_WRITE"}
