"""The queue verbs: `mail-sender queue list | show | retry | flush | abandon | resend`.

This module has their options, and the question to the person at the terminal. The code that carries a command out is
imported inside, as in `app`.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TextIO
from uuid import UUID

import typer

from mail_sender.cli.terminal import Form
from mail_sender.errors import Exit, UsageError
from mail_sender.ledger.states import State

if TYPE_CHECKING:
    from mail_sender.cli.queue_output import Screen
    from mail_sender.control.command import Command

_STATUS_HELP = f"Only deliveries in this state; may be repeated: {', '.join(State)}."

app = typer.Typer(
    help="Show the queue; retry, abandon or resend mail. Works with and without a running sender.",
    epilog="ID is a message's id, or at least its first 6 characters. With -o json, each line is one JSON object. "
    "Exit codes: 0 success; 1 it could not be done, or nothing matches; 2 wrong usage; 75 try again later; "
    "77 not allowed; 78 the configuration or the ledger has faults.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


Id = Annotated[str, typer.Argument(metavar="ID", help="The message's id, or its start.")]
Recipient = Annotated[str | None, typer.Option("--recipient", metavar="ADDRESS", help="Only mails to ADDRESS.")]
Output = Annotated[Form, typer.Option("-o", "--output", help="json: one object a line.")]
Addresses = Annotated[bool, typer.Option("--show-addresses", help="Do not mask addresses.")]


@app.command("list", short_help="List deliveries, newest first.")
def list_(
    context: typer.Context,
    status: Annotated[
        list[State] | None,
        typer.Option("--status", metavar="STATUS", help=_STATUS_HELP),
    ] = None,
    recipient: Recipient = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=0, max=10**9, help="At most this many; 0: all. Default: 50 on a terminal, else all."
        ),
    ] = None,
    output: Output = "text",
    show_addresses: Addresses = False,
) -> None:
    """List deliveries, newest first: one line for each message and recipient."""
    states = frozenset(status or State)
    command = _command("list", states=states, recipient=recipient, show_addresses=show_addresses)
    with _screen(context, output) as screen:
        screen.list(command, limit)


@app.command(short_help="Show a message, and every attempt.")
def show(
    context: typer.Context,
    id_: Id,
    recipient: Recipient = None,
    output: Output = "text",
    show_addresses: Addresses = False,
) -> None:
    """Show a message: what its state means, what to do next, and every attempt."""
    command = _command("show", message=_id(id_), recipient=recipient, show_addresses=show_addresses)
    with _screen(context, output) as screen:
        screen.show(command)


@app.command(short_help="Queue again what failed or is held.")
def retry(
    context: typer.Context,
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="The message's id, or its start.")] = None,
    status: Annotated[
        list[State] | None,
        typer.Option("--status", metavar="STATUS", help="All that are held, failed, abandoned, expired or queued."),
    ] = None,
    recipient: Recipient = None,
    output: Output = "text",
) -> None:
    """Queue again what failed, was abandoned or is held, and count its attempts from zero."""
    if id_ is None and not status and recipient is None:
        raise UsageError("say what to retry: an ID, --status or --recipient")
    states = frozenset(State) if id_ and not status else _retried(status)
    command = _command("retry", message=_id(id_) if id_ else None, states=states, recipient=recipient)
    with _screen(context, output) as screen:
        screen.change(command)


@app.command(short_help="Try now everything that waits.")
def flush(context: typer.Context, recipient: Recipient = None, output: Output = "text") -> None:
    """Try now everything that is queued or held, even if the relay was down; wait until each had its attempt.

    Exit codes: 0 mail went out, or nothing waits; 1 none went out, and none is tried again; 75 some still waits.
    """
    with _screen(context, output) as screen:
        screen.flush(_command("flush", recipient=recipient))


@app.command(short_help="Give up what is not sent.")
def abandon(context: typer.Context, id_: Id, recipient: Recipient = None, output: Output = "text") -> None:
    """Give up what is queued, held or unknown; `retry` queues it again, `resend` if it may have arrived."""
    with _screen(context, output) as screen:
        screen.change(_command("abandon", message=_id(id_), recipient=recipient))


@app.command(short_help="Send a second copy.")
def resend(
    context: typer.Context,
    id_: Id,
    recipient: Recipient = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    output: Output = "text",
) -> None:
    """Send a second copy of what was sent, withdrawn or may have arrived; it has its own Message-ID."""
    command = _command("resend", message=_id(id_), recipient=recipient)
    if not yes:
        _ask_first(command)
    with _screen(context, output, with_source=True) as screen:
        screen.change(command)


def _retried(status: list[State] | None) -> frozenset[State]:
    """Return the states that are retried if no ID is named, or those that are named. Raises `UsageError`."""
    from mail_sender.control.verbs import VERBS  # noqa: PLC0415 - see the module's text

    taken = VERBS["retry"].takes
    if not status:
        return taken - {State.EXPIRED}
    if not taken.issuperset(status):
        names = ", ".join(sorted(taken))
        raise UsageError(f"--status takes {names}; use `resend` for what is sent, withdrawn or unknown")
    return frozenset(status)


def _command(verb: str, **fields: Any) -> "Command":
    from mail_sender.control.command import BadCommand, Command  # noqa: PLC0415 - see the module's text

    try:
        return Command(verb, **fields)
    except BadCommand as error:
        raise UsageError(f"cannot search for the {error}: it is too long, or not text") from None


def _id(text: str) -> str:
    """Return an id, or its start, as the ledger writes it. Raises `UsageError`."""
    from mail_sender.control.command import SHORTEST_ID  # noqa: PLC0415 - see the module's text

    found = text.strip().lower()
    if re.fullmatch(r"[0-9a-f]{32}", found):
        return str(UUID(found))
    if not re.fullmatch(rf"[0-9a-f-]{{{SHORTEST_ID},36}}", found):
        raise UsageError(
            f"{text!r} is not a message's id: expected an id such as 6f1c2a3e-..., or at least its first "
            f"{SHORTEST_ID} characters; `mail-sender queue list` shows the ids"
        )
    return found


def _ask_first(command: "Command") -> None:
    """Ask whether a second copy is to be sent, and end the program if it is not."""
    terminal: TextIO | None = sys.stdin
    if terminal is None or not terminal.isatty():
        raise UsageError("resend asks before it sends a second copy, but there is no terminal: add -y")
    recipient = f" to {command.recipient}" if command.recipient else ""
    question = f"This sends a second copy of {command.message}{recipient}; who got the first one gets another."
    if not typer.confirm(f"{question} Send it?", err=True):
        typer.echo("nothing was sent", err=True)
        raise typer.Exit(Exit.FAILED)


@contextmanager
def _screen(context: typer.Context, form: Form, *, with_source: bool = False) -> Iterator["Screen"]:
    from mail_sender.cli import queue_client  # noqa: PLC0415 - see the module's text
    from mail_sender.cli.queue_output import Screen  # noqa: PLC0415 - as above

    with queue_client.client(context, with_source=with_source) as client:
        yield Screen(form, client)
