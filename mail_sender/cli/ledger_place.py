"""Where the ledger is, by the configuration: all that a command needs that asks a running sender or reads the ledger.

A broken configuration hides neither: what is wrong with it is printed. Of a file that is no TOML any more the table
`[ledger]` is read alone: a health check must not look elsewhere, and have a sender restarted that is well. If that
cannot be read either, the default place is used.

The variables of its two keys are read here by their names: `config.sources`, which reads all variables, loads the
models of all keys, and a health check would take twice as long.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from mail_sender.cli.terminal import print_line
from mail_sender.config.toml_file import TomlFile
from mail_sender.ledger.config import LedgerConfig

_WITHOUT_A_FILE = ("MAIL_SENDER_LEDGER_PATH", "MAIL_SENDER_MAIL_FROM_ADDRESS")
"""Variables that say where the ledger is, or that the whole configuration may stand in the environment."""

_URLS = ("MAIL_SENDER_LEDGER_URL", "MAIL_SENDER_LEDGER_URL_FILE", "MAIL_SENDER_LEDGER_URL_PATH")


def shared(client_config: Path, sender_config: Path) -> LedgerConfig:
    """Return how the database is reached that the configuration names, whatever else is wrong with that.

    Raises `ConfigError` if what is said of the ledger has faults.
    """
    from mail_sender.config import load, subject  # noqa: PLC0415 - a health check, and a sender here, need no more

    found = subject.read(client_config, sender_config).ledger
    return load.load(client_config, sender_config).ledger if found is None else found


def read(path: Path, environment: Mapping[str, str] = os.environ) -> LedgerConfig:
    """Return where a mail-sender config, and the environment over it, say that the ledger is."""
    file = TomlFile(path)
    table = file.values.get("ledger") if not file.faults else file.table_alone("ledger")
    for fault in file.faults:
        if file.is_missing and any(environment.get(name) for name in _WITHOUT_A_FILE):
            continue
        used = "the default state folder is used" if table is None else "its [ledger] is used"
        print_line(f"warning: {fault}; {used}", err=True)
    of_file = table if isinstance(table, dict) else {}
    place = environment.get("MAIL_SENDER_LEDGER_PATH") or of_file.get("path")
    kind = environment.get("MAIL_SENDER_LEDGER_KIND") or of_file.get("kind")
    if place is not None and not (place and isinstance(place, str)):
        print_line(f"warning: {path}: ledger.path is not a path; the default state folder is used", err=True)
        place = None
    if any(environment.get(name) for name in _URLS) or {"url", "url_path"} & of_file.keys():
        kind = "postgresql"
    folder = Path(place) if place else None
    match kind:
        case "memory" | "postgresql":
            return LedgerConfig(folder, kind)
    return LedgerConfig(folder)
