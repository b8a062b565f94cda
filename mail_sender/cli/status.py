"""`mail-sender status` and `mail-sender healthcheck`: their options; what they do is imported inside, as in `app`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mail_sender.cli.terminal import Form
from mail_sender.errors import UsageError

if TYPE_CHECKING:
    from mail_sender.ledger.config import LedgerConfig

EVERY = 2.0
"""Seconds between two looks of `--watch`, where none are named."""
_LEAST = 0.2


def status(
    context: typer.Context,
    seconds: Annotated[
        float | None, typer.Argument(metavar="[SECONDS]", help="With --watch: seconds between two screens.")
    ] = None,
    output: Annotated[
        Form, typer.Option("-o", "--output", help="json: one object (docs/status.schema.json).")
    ] = "text",
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
) -> None:
    """Show whether mail flows, and what stands in its way: sender, server, relay, ledger and queue on one screen.

    A running sender answers; without one the ledger does, as far as it can. A ledger in PostgreSQL knows of all that
    share it.

    Exit codes: 0 all is well; 1 something stands in the way of mail, or the sender does not answer; 2 wrong usage;
    3 no sender runs, here or elsewhere; 75 try again later; 77 not allowed; 78 the ledger cannot be used.
    """
    if seconds is not None and not watch:
        raise UsageError("SECONDS is for --watch: `mail-sender status --watch 5`")
    if seconds is not None and not seconds >= _LEAST:
        raise UsageError(f"--watch takes seconds from {_LEAST:g} up")
    from mail_sender import log  # noqa: PLC0415 - see the module's text
    from mail_sender.cli.status_output import StatusOutput  # noqa: PLC0415 - as above

    log.configure(debug=False, form="text")
    shown = StatusOutput(_ledger_config(context), output, partial(_shared, context))
    raise typer.Exit(shown.watch(seconds or EVERY) if watch else shown.once())


def healthcheck(
    context: typer.Context,
    ready: Annotated[
        bool, typer.Option("--ready", help="Also ask whether polls succeed and the relay can be used.")
    ] = False,
) -> None:
    """Ask the running sender whether it is alive, within 5 seconds: for a container's health check.

    It is alive as long as its loops turn: also while there is nothing to do, or while server or relay are down. With
    --ready, polls have to succeed as well, and the relay has to take mail.

    Exit codes: 0 healthy; 1 not healthy, or no answer; 2 wrong usage; 3 no sender runs; 77 not allowed.
    """
    from mail_sender.cli.health_output import check  # noqa: PLC0415 - see the module's text

    raise typer.Exit(check(_ledger_config(context), wants_ready=ready))


def _ledger_config(context: typer.Context) -> "LedgerConfig":
    from mail_sender.cli import ledger_place  # noqa: PLC0415 - see the module's text

    return ledger_place.read(context.find_root().params["sender_config"])


def _shared(context: typer.Context) -> "LedgerConfig":
    from mail_sender.cli import ledger_place  # noqa: PLC0415 - see the module's text

    files = context.find_root().params
    return ledger_place.shared(files["client_config"], files["sender_config"])
