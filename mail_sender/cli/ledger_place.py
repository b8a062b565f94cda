"""Where the ledger is, by the configuration: all that a command needs that asks a running sender or reads the ledger.

A broken configuration hides neither: what is wrong with it is printed, and the default place is used instead.
"""

from pathlib import Path

from mail_sender.cli.terminal import print_line
from mail_sender.config.toml_file import TomlFile
from mail_sender.ledger.config import LedgerConfig


def read(path: Path) -> LedgerConfig:
    """Return where a mail-sender config says that the ledger is."""
    file = TomlFile(path)
    for fault in file.faults:
        print_line(f"warning: {fault}; the default state folder is used", err=True)
    table = file.values.get("ledger")
    place, kind = (table.get("path"), table.get("kind")) if isinstance(table, dict) else (None, None)
    if place is not None and not (place and isinstance(place, str)):
        print_line(f"warning: {path}: ledger.path is not a path; the default state folder is used", err=True)
        place = None
    return LedgerConfig(Path(place) if place else None, "memory" if kind == "memory" else "sqlite")
