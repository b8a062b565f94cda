"""`mail-sender ledger copy`: its options. `ledger_output` carries it out, and is imported inside, as in `app`."""

from pathlib import Path
from typing import Annotated

import typer

from mail_sender.cli.terminal import Form

app = typer.Typer(
    help="Move the ledger from its file to PostgreSQL, or back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_A_LEDGER = (
    "a state folder, its ledger.db, a postgresql:// url, or `configured` for the one that the configuration names"
)
From = Annotated[str, typer.Argument(metavar="FROM", help=f"The old ledger: {_A_LEDGER}.", show_default=False)]
To = Annotated[str, typer.Argument(metavar="TO", help="The new ledger, in the same words.", show_default=False)]
Output = Annotated[Form, typer.Option("-o", "--output", help="json: one object.")]


@app.callback()
def ledger() -> None:
    """Move the ledger from its file to PostgreSQL, or back."""


@app.command(short_help="Copy a ledger from its file to PostgreSQL, or back.")
def copy(context: typer.Context, from_: From, to: To, output: Output = "text") -> None:
    """Copy a ledger from its file to PostgreSQL, or back, with all that is in it; the old one is not changed.

    No sender may run on either of them, and none can start on one meanwhile. If it is stopped, start the same copy
    again: it goes on. In the end it reads both ledgers, compares every row, and says what to change in the
    configuration.

    A password in a url can be seen by other users of this machine: let libpq find it (PGPASSFILE, PGPASSWORD, a
    service), or write url and password_path into the configuration first, and say `configured`.

    Exit codes: 0 both are the same; 1 it could not be done, as where the new ledger holds something else; 2 wrong
    usage; 75 a sender runs, or a ledger cannot be used for now; 77 not allowed; 78 the configuration or a ledger
    has faults.
    """
    from mail_sender.cli import ledger_output  # noqa: PLC0415 - see the module's text

    options = context.find_root().params
    files = Path(options["client_config"]), Path(options["sender_config"])
    ledger_output.print_copy(from_, to, files, output)
