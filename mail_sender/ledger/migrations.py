"""The tables of the ledger's file: made, brought up to date, or refused.

1. A file of another program, or of a newer mail-sender, is refused and not changed.
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
    empty = not version and not db.execute("SELECT 1 FROM sqlite_master").fetchone()
    if not empty and application != _APPLICATION:
        raise LedgerFault("foreign", f"{path} belongs to another program", "set [ledger] path to another folder")
    if version > len(_SCRIPTS):
        detail = f"{path} was written by a newer mail-sender (schema {version})"
        raise LedgerFault(
            "newer", detail, "run that version or a newer one, or restore a copy from before the update"
        )
    if (damage := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(damage)
    for number, script in enumerate(_SCRIPTS[version:], version + 1):
        db.executescript(
            f"BEGIN; {script} PRAGMA user_version = {number}; PRAGMA application_id = {_APPLICATION}; COMMIT;"
        )
