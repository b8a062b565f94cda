"""Makes the client of the queue verbs from the configuration.

The verbs need only the place of the ledger, so that a broken configuration does not hide the queue. Only `resend`
without a sender that runs here needs the whole configuration.
"""

from functools import partial
from pathlib import Path

import typer

from mail_sender import log
from mail_sender.cli import ledger_place
from mail_sender.control.client import Client
from mail_sender.ledger import state_folder
from mail_sender.source.base import Source


def client(context: typer.Context, *, with_source: bool = False) -> Client:
    """Return the client of the ledger that the configuration names; with a source it can send messages again.

    Raises `MailSenderError` if there is no ledger.
    """
    log.configure(debug=False, form="text")
    given = context.find_root().params
    client_config, sender_config = given["client_config"], given["sender_config"]
    source = partial(_source, client_config, sender_config) if with_source else None
    place = ledger_place.read(sender_config)
    if place.kind == "postgresql":
        shared = partial(ledger_place.shared, client_config, sender_config)
        return Client(state_folder.place(place), source, shared)
    return Client(state_folder.existing(place), source)


def _source(client_config: Path, sender_config: Path) -> Source:
    from mail_sender.config import load  # noqa: PLC0415 - only where no sender runs
    from mail_sender.source.kanidm import KanidmSource  # noqa: PLC0415 - as above

    return KanidmSource(load.load(client_config, sender_config).source)
