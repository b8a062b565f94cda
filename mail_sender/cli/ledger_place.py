"""Where the ledger is, by the configuration: all that a command needs that asks a running sender or reads the ledger.

A broken configuration hides neither: what is wrong with it is printed. Of a file that is no TOML any more the table
`[ledger]` is read alone: a health check must not look elsewhere, and have a sender restarted that is well. If that
cannot be read either, the default place is used.
"""

from pathlib import Path

from mail_sender.cli.terminal import print_line
from mail_sender.config.toml_file import TomlFile
from mail_sender.ledger.config import LedgerConfig


def read(path: Path) -> LedgerConfig:
    """Return where a mail-sender config says that the ledger is."""
    file = TomlFile(path)
    table = file.values.get("ledger") if not file.faults else file.table_alone("ledger")
    for fault in file.faults:
        used = "the default state folder is used" if table is None else "its [ledger] is used"
        print_line(f"warning: {fault}; {used}", err=True)
    place, kind = (table.get("path"), table.get("kind")) if isinstance(table, dict) else (None, None)
    if place is not None and not (place and isinstance(place, str)):
        print_line(f"warning: {path}: ledger.path is not a path; the default state folder is used", err=True)
        place = None
    return LedgerConfig(Path(place) if place else None, "memory" if kind == "memory" else "sqlite")
