"""The tables of the ledger's file: made, brought up to date, or refused.

1. A file of another program, or of a newer mail-sender, is refused and not changed. So is an unfinished copy
   (`copying`), which has another program's number in the file's header.
2. A damaged file is refused.
3. The numbered files in `schema` make the tables. `user_version` says how many of them the file has seen; the others
   are run, each in a transaction of its own.
"""

import sqlite3
from pathlib import Path

from mail_sender.errors import LedgerFault

# Read at once: root may read them by now, and the state folder's owner, as whom root opens the ledger, may not.
_SCRIPTS = [file.read_text() for file in sorted(Path(__file__).with_name("schema").glob("*.sql"))]
_APPLICATION = 0x6D61696C  # "mail", in the file's header
_UNFINISHED = 0x636F7079  # "copy", there


def are_done(db: sqlite3.Connection) -> bool:
    """Say whether `prepare` has nothing to write. Raises `sqlite3.DatabaseError` for what is no database."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version == len(_SCRIPTS)


def prepare(db: sqlite3.Connection, path: Path | None) -> None:
    """Make the tables, or bring them up to date; `path` is for messages.

    Raises `LedgerFault` for a file that is not ours or newer, `sqlite3.DatabaseError` for a damaged one.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    application = db.execute("PRAGMA application_id").fetchone()[0]
    if application == _UNFINISHED:
        detail = f"{path} is a copy of a ledger, and not finished"
        raise LedgerFault("unfinished", detail, "run the same `mail-sender ledger copy` again: it goes on")
    empty = not version and not db.execute("SELECT 1 FROM sqlite_master").fetchone()
    if not empty and application != _APPLICATION:
        raise LedgerFault("foreign", f"{path} belongs to another program", "set [ledger] path to another folder")
    if version > len(_SCRIPTS):
        raise _newer(version, path)
    if (damage := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(damage)
    for number, script in enumerate(_SCRIPTS[version:], version + 1):
        db.executescript(
            f"BEGIN; {script} PRAGMA user_version = {number}; PRAGMA application_id = {_APPLICATION}; COMMIT;"
        )


def refuse_another_version(db: sqlite3.Connection, path: Path) -> None:
    """Raise `LedgerFault` if the tables are not those of this version; of an empty file there are none yet."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_SCRIPTS):
        raise _newer(version, path)
    if 0 < version < len(_SCRIPTS):
        detail = f"{path} was written by an older mail-sender (schema {version}, and not {len(_SCRIPTS)})"
        raise LedgerFault("older", detail, "start this version on it once, and stop it: it brings it up to date")


def is_unfinished(db: sqlite3.Connection) -> bool:
    """Say whether the file is a copy that is not finished."""
    return bool(db.execute("PRAGMA application_id").fetchone()[0] == _UNFINISHED)


def mark(db: sqlite3.Connection, *, unfinished: bool) -> None:
    """Write, with the transaction that is open, that the file is an unfinished copy, or a ledger."""
    db.execute(f"PRAGMA application_id = {_UNFINISHED if unfinished else _APPLICATION}")


def _newer(version: int, path: Path | None) -> LedgerFault:
    detail = f"{path} was written by a newer mail-sender (schema {version})"
    return LedgerFault("newer", detail, "run that version or a newer one, or restore a copy from before the update")
