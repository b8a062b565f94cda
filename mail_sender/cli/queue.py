"""The queue verbs: `mail-sender queue list | show | retry | flush | abandon | resend`.

They need no more of the configuration than where the ledger lies, so that a broken one does not hide the queue; only
`resend` without a running sender needs all of it. What carries them out is imported inside, as in `cli`.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO
from uuid import UUID

import typer

from mail_sender.errors import Exit, UsageError
from mail_sender.ledger.states import State

if TYPE_CHECKING:
    from mail_sender.cli.queue_output import Screen
    from mail_sender.control.client import Client
    from mail_sender.control.command import Command
    from mail_sender.ledger.config import LedgerConfig
    from mail_sender.source.base import Source

_STATUS_HELP = f"Only these; may be repeated: {', '.join(State)}."

app = typer.Typer(
    help="Look at the queue, and set mail going again. Works beside a running sender, and without one.",
    epilog="ID is a message's id, or its first 6 characters or more. With -o json each line is one JSON object. "
    "Exit codes: 0 done; 1 it could not be done, or nothing fits; 2 wrong usage; 75 try again; 77 not allowed; "
    "78 the configuration or the ledger has faults.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


Form = Literal["text", "json"]
Id = Annotated[str, typer.Argument(metavar="ID", help="The message's id, or how it begins.")]
Recipient = Annotated[str | None, typer.Option("--recipient", metavar="ADDRESS", help="Only what goes to ADDRESS.")]
Output = Annotated[
    Form, typer.Option("-o", "--output", help="json: one object a line, so that any number of them can be read.")
]
Addresses = Annotated[bool, typer.Option("--show-addresses", help="Show addresses whole.")]


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
        typer.Option("--limit", min=0, help="So many at most; 0: all. On a terminal 50, else all."),
    ] = None,
    output: Output = "text",
    show_addresses: Addresses = False,
) -> None:
    """List deliveries, newest first: one line for each message and recipient."""
    command = _command("list", states=_states(status), recipient=recipient, show_addresses=show_addresses)
    with _client(context) as client:
        _screen(output).list(client, command, limit)


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
    with _client(context) as client:
        _screen(output).show(client, command)


@app.command(short_help="Queue again what failed or is held.")
def retry(
    context: typer.Context,
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="The message's id, or how it begins.")] = None,
    status: Annotated[
        list[State] | None,
        typer.Option("--status", metavar="STATUS", help="All that are held, failed, abandoned or queued."),
    ] = None,
    recipient: Recipient = None,
    output: Output = "text",
) -> None:
    """Queue again what failed, was abandoned or is held; its attempts count from nothing."""
    if id_ is None and not status and recipient is None:
        raise UsageError("say which: an ID, --status or --recipient")
    states = set(status or (State if id_ else _RETRIED))
    if status and not states <= _RETRIED | {State.EXPIRED}:
        taken = ", ".join(sorted(_RETRIED | {State.EXPIRED}))
        raise UsageError(f"--status takes {taken}; what is sent, withdrawn or unknown takes `resend`")
    command = _command("retry", message=_id(id_) if id_ else None, states=frozenset(states), recipient=recipient)
    with _client(context) as client:
        _screen(output).act(client, command)


@app.command(short_help="Try all that waits now.")
def flush(context: typer.Context, recipient: Recipient = None, output: Output = "text") -> None:
    """Try all that is queued and held now, also where the relay was down; wait until each had its attempt."""
    with _client(context) as client:
        _screen(output).flush(client, _command("flush", recipient=recipient))


@app.command(short_help="Give up what is not sent.")
def abandon(context: typer.Context, id_: Id, recipient: Recipient = None, output: Output = "text") -> None:
    """Give up what is queued, held or unknown; `retry` takes it up again."""
    with _client(context) as client:
        _screen(output).act(client, _command("abandon", message=_id(id_), recipient=recipient))


@app.command(short_help="Send a second copy.")
def resend(
    context: typer.Context,
    id_: Id,
    recipient: Recipient = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    output: Output = "text",
) -> None:
    """Send what was sent, or may have been, a second time: as a mail with a Message-ID of its own."""
    message = _id(id_)
    if not yes:
        _ask_first(message, recipient)
    with _client(context, _source_of(context)) as client:
        _screen(output).act(client, _command("resend", message=message, recipient=recipient))


_RETRIED = frozenset({State.QUEUED, State.HELD, State.FAILED, State.ABANDONED})
"""What is tried again where no status is named."""

# What is asked


def _command(verb: str, **fields: Any) -> "Command":
    from mail_sender.control.command import Command  # noqa: PLC0415 - see the module's text

    return Command.model_validate({"verb": verb, **fields})


def _states(chosen: list[State] | None) -> frozenset[State]:
    return frozenset(chosen or State)


def _id(text: str) -> str:
    """Return an id, or its start, as the ledger writes it.

    Raises `UsageError`.
    """
    from mail_sender.control.command import SHORTEST_ID  # noqa: PLC0415 - see the module's text

    found = text.strip().lower()
    if re.fullmatch(r"[0-9a-f]{32}", found):
        return str(UUID(found))
    if not re.fullmatch(rf"[0-9a-f-]{{{SHORTEST_ID},36}}", found):
        raise UsageError(
            f"{text!r} is no message's id: expected one such as 6f1c2a3e-..., or its first {SHORTEST_ID} characters "
            "or more; `mail-sender queue list` shows them"
        )
    return found


def _ask_first(message: str, recipient: str | None) -> None:
    whom = f" to {recipient}" if recipient else ""
    terminal: TextIO | None = sys.stdin
    if terminal is None or not terminal.isatty():
        raise UsageError("resend sends a second copy, and there is no terminal to ask on: say -y")
    asked = f"This sends a second copy of {message}{whom}; whoever got the first one gets another. Send it?"
    if not typer.confirm(asked, err=True):
        typer.echo("nothing was sent", err=True)
        raise typer.Exit(Exit.FAILED)


# Where it is asked


def _screen(form: Form) -> "Screen":
    from mail_sender.cli.queue_output import Screen  # noqa: PLC0415 - see the module's text

    return Screen(form)


def _client(context: typer.Context, source: "Callable[[], Source] | None" = None) -> "Client":
    from mail_sender import log  # noqa: PLC0415 - see the module's text
    from mail_sender.control.client import Client  # noqa: PLC0415 - as above
    from mail_sender.ledger import state_folder  # noqa: PLC0415 - as above

    log.configure(debug=False, form="text")
    return Client(state_folder.existing(_ledger_config(_configs(context)[1])), source)


def _configs(context: typer.Context) -> tuple[Path, Path]:
    """Return the two paths that the program was given, client config first."""
    given = context.find_root().params
    return given["client_config"], given["sender_config"]


def _ledger_config(path: Path) -> "LedgerConfig":
    """Return what a mail-sender config says of the ledger; what cannot be read is said, and left at its default."""
    from mail_sender.config.toml_file import TomlFile  # noqa: PLC0415 - as above
    from mail_sender.ledger.config import LedgerConfig  # noqa: PLC0415 - see the module's text

    file = TomlFile(path)
    for fault in file.faults:
        typer.echo(f"warning: {fault}; looking where the ledger is by default", err=True)
    table = file.values.get("ledger")
    place, kind = (table.get("path"), table.get("kind")) if isinstance(table, dict) else (None, None)
    if place is not None and not (place and isinstance(place, str)):
        typer.echo(f"warning: {path}: ledger.path is no path; looking where the ledger is by default", err=True)
        place = None
    return LedgerConfig(Path(place) if place else None, "memory" if kind == "memory" else "sqlite")


def _source_of(context: typer.Context) -> "Callable[[], Source]":
    def source() -> "Source":
        from mail_sender.config import load  # noqa: PLC0415 - see the module's text
        from mail_sender.source.kanidm import KanidmSource  # noqa: PLC0415 - as above

        return KanidmSource(load.load(*_configs(context)).source)

    return source
