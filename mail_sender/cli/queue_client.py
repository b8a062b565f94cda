"""Makes the client of the queue verbs from the configuration.

The verbs need only the place of the ledger, so that a broken configuration does not hide the queue. Only `resend`
without a running sender needs the whole configuration.
"""

from functools import partial
from pathlib import Path

import typer

from mail_sender import log
from mail_sender.config.toml_file import TomlFile
from mail_sender.control.client import Client
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.source.base import Source


def client(context: typer.Context, *, with_source: bool = False) -> Client:
    """Return the client of the ledger that the configuration names; with a source it can send messages again.

    Raises `MailSenderError` if there is no ledger.
    """
    log.configure(debug=False, form="text")
    given = context.find_root().params
    client_config, sender_config = given["client_config"], given["sender_config"]
    source = partial(_source, client_config, sender_config) if with_source else None
    return Client(state_folder.existing(_ledger(sender_config)), source)


def _ledger(path: Path) -> LedgerConfig:
    """Return where a mail-sender config says that the ledger is; print what is wrong, and use the default instead."""
    file = TomlFile(path)
    for fault in file.faults:
        typer.echo(f"warning: {fault}; the default state folder is used", err=True)
    table = file.values.get("ledger")
    place, kind = (table.get("path"), table.get("kind")) if isinstance(table, dict) else (None, None)
    if place is not None and not (place and isinstance(place, str)):
        typer.echo(f"warning: {path}: ledger.path is not a path; the default state folder is used", err=True)
        place = None
    return LedgerConfig(Path(place) if place else None, "memory" if kind == "memory" else "sqlite")


def _source(client_config: Path, sender_config: Path) -> Source:
    from mail_sender.config import load  # noqa: PLC0415 - only where no sender runs
    from mail_sender.source.kanidm import KanidmSource  # noqa: PLC0415 - as above

    return KanidmSource(load.load(client_config, sender_config).source)
