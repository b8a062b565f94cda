"""The `server-stub` command: `serve`, the commands of `kanidm` that concern the queue, `queue --file` and `fill`.

Exit codes: 0 done, 1 a sentence says what failed, 2 wrong usage.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from server_stub.cli import queue_text
from server_stub.cli.queue_client import QueueClient
from server_stub.errors import StubError
from server_stub.folder.directory import Directory
from server_stub.queue import fill as filling
from server_stub.queue.entry import complete
from server_stub.queue.store import Store
from server_stub.startup.ports import Ports
from server_stub.startup.startup_text import startup_text, where_to_look

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Try mail-sender without a Kanidm: a stub of its message queue, and a relay that keeps the mail.",
)
queue_app = typer.Typer(no_args_is_help=True, help="Show and change the queue, like `kanidm system message-queue`.")
person_app = typer.Typer(no_args_is_help=True, help="Queue reset links to people, like `kanidm person`.")
credential_app = typer.Typer(no_args_is_help=True, help="Queue reset links, like `kanidm person credential`.")
system_app = typer.Typer(no_args_is_help=True, help="The same commands under the words that `kanidm` uses.")
app.add_typer(queue_app, name="message-queue")
app.add_typer(queue_app, name="message", hidden=True)
app.add_typer(system_app, name="system", hidden=True)
system_app.add_typer(queue_app, name="message-queue")
system_app.add_typer(queue_app, name="message", hidden=True)
app.add_typer(person_app, name="person")
person_app.add_typer(credential_app, name="credential")

Dir = Annotated[Path, typer.Option("--dir", metavar="DIR", help="The folder of the stub.", show_default=False)]
Output = Annotated[str, typer.Option("-o", "--output", help="`json`; anything else is text.")]
MessageId = Annotated[uuid.UUID, typer.Argument(help="The message's id; `message-queue list` shows it.")]
Account = Annotated[str, typer.Argument(help="The person's name or id.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 means any free one.")]


def _not_empty(host: str) -> str:
    """Refuse no address, by which sockets mean all of them."""
    if not host:
        raise typer.BadParameter(
            "an address is needed, such as 127.0.0.1; 0.0.0.0 means all addresses of this machine"
        )
    return host


@app.command()
def serve(  # noqa: PLR0913, PLR0917 - one argument for each flag of the contract
    dir: Dir,  # noqa: A002 - the flag's name
    host: Annotated[str, typer.Option(help="The address to listen on.", callback=_not_empty)] = "127.0.0.1",
    port: Port = 8443,
    smtps_port: Port = 8465,
    smtp_port: Port = 8587,
    web_port: Port = 8025,
    people: Annotated[Path | None, typer.Option(help="A TOML file of [[person]] tables.")] = None,
    misbehave: Annotated[
        Path | None, typer.Option(help="A TOML file with rules of misbehaviour; see docs/misbehaviour.md.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="The file to write all ports into, once everything answers.")
    ] = None,
    has_sender: Annotated[
        bool, typer.Option("--has-sender", hidden=True, help="A sender is started anyway.")
    ] = False,
) -> None:
    """Run the API, the relay and the page until SIGTERM or SIGINT."""
    # The servers take a fifth of a second to import, which the other verbs need not wait for.
    from server_stub.service import Settings, run  # noqa: PLC0415 - see the line above

    ports = Ports(port, smtps_port, smtp_port, web_port)
    directory = Directory.at(dir)

    def ready(bound: Ports) -> None:
        typer.echo(f"{startup_text(directory, host, bound, has_sender=has_sender)}\nready")

    run(Settings(directory, host, ports, people, misbehave, ready_file), ready)


@app.command()
def queue(
    dir: Dir,  # noqa: A002 - the flag's name
    file: Annotated[Path, typer.Option("--file", help="A JSON list of raw entries.", show_default=False)],
) -> None:
    """Queue raw entries from a file and print their ids. Entries may be malformed or have several recipients.

    Missing ids, classes, schemas and times are added, unless the entry has "raw": true.
    """
    directory = _started(dir)
    entries = [_completed(entry) for entry in _read_entries(file)]
    with closing(Store.open(directory.queue, create=False)) as store:
        try:
            keys = store.add(entries)
        except (ValueError, sqlite3.Error) as error:
            raise StubError(f"The entries of {file} cannot be queued: {error}.") from error
    typer.echo("".join(f"{key}\n" for key in keys), nl=False)


@app.command()
def fill(
    count: Annotated[
        int, typer.Argument(min=1, max=10**7, metavar="N", help="How many messages.", show_default=False)
    ],
    dir: Dir,  # noqa: A002 - the flag's name
) -> None:
    """Queue N messages (test messages and credential resets) as fast as possible; 100,000 and more are possible."""
    directory = _started(dir)
    with closing(Store.open(directory.queue, create=False)) as store:
        try:
            filling.fill(store, count, time.time_ns())
        except sqlite3.Error as error:
            raise StubError(f"The queue {directory.queue} could not be filled completely: {error}.") from error
    typer.echo(f"{count} messages are queued, all of them due.\n{where_to_look(directory, count)}")


def _started(path: Path) -> Directory:
    directory = Directory.at(path)
    if not directory.queue.exists():
        raise StubError(f"No stub was started on {directory.root}. Run: server-stub serve --dir {directory.root}")
    return directory


def _read_entries(file: Path) -> list[object]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"), parse_constant=_not_json)
    except OSError as error:
        raise StubError(f"Cannot read {file} ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise StubError(f"{file} is not JSON: {error}.") from error
    if not isinstance(entries, list):
        raise StubError(f"{file} must hold a JSON list of entries.")
    return entries


def _not_json(word: str) -> None:
    raise ValueError(f"{word} is not a value")


def _completed(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    wanted = {key: value for key, value in entry.items() if key != "raw"}
    return wanted if entry.get("raw") is True else complete(wanted, time.time_ns())


@queue_app.command("list")
def list_messages(dir: Dir, output: Output = "text") -> None:  # noqa: A002 - the flag's name
    """Show every message."""
    answer = _client(dir).list()
    if output == "json":
        typer.echo(queue_text.list_json(answer))
    else:
        _with_success(queue_text.list_text(answer))


@queue_app.command()
def get(dir: Dir, message_id: MessageId, output: Output = "text") -> None:  # noqa: A002 - the flag's name
    """Show one message."""
    answer = _client(dir).get(str(message_id))
    if output == "json":
        typer.echo(queue_text.entry_json(answer))
    else:
        _with_success(queue_text.entry_text(answer) + "\n")


@queue_app.command()
def mark_as_sent(dir: Dir, message_id: MessageId, output: Output = "text") -> None:  # noqa: A002 - the flag's name
    """Mark a message as sent."""
    _client(dir).mark_as_sent(str(message_id))
    _say("Message Marked as Sent", output)


@queue_app.command()
def send_test_message(dir: Dir, account: Account, output: Output = "text") -> None:  # noqa: A002 - the flag's name
    """Queue a test message to a person."""
    _client(dir).send_test_message(account)
    _say("Message Queued", output)


@person_app.command("send-reset-token")
@credential_app.command("send-reset-token")
def send_reset_token(
    dir: Dir,  # noqa: A002 - the flag's name
    account: Account,
    address: Annotated[str | None, typer.Argument(help="Another of the person's addresses.")] = None,
    ttl: Annotated[int | None, typer.Option(min=0, max=2**64 - 1, help="Seconds, from 300 to 86400.")] = None,
    output: Output = "text",
) -> None:
    """Queue a credential reset to a person."""
    _client(dir).send_reset(account, address, ttl)
    typer.echo("Success")


def _client(path: Path) -> QueueClient:
    return QueueClient.open(Directory.at(path))


def _with_success(text: str) -> None:
    typer.echo(text, nl=False)
    typer.echo("--\nSuccess", err=True)


def _say(text: str, output: str) -> None:
    typer.echo(json.dumps(text) if output == "json" else text)


def _discard_what_cannot_be_written() -> None:
    """Drop output that a full disk did not take: Python would try it again at its end, with a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def run() -> None:
    """Run the command line; whatever the machine refuses is a sentence and exit code 1."""
    try:
        sys.exit(app(prog_name="server-stub", standalone_mode=False))
    except typer.TyperException as error:
        # Only a wrong command line needs it, and pydantic with it.
        from server_stub.cli import usage  # noqa: PLC0415 - see the line above

        typer.echo(usage.explanation(error, "server-stub"), err=True)
        sys.exit(2)
    except StubError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"Cannot use {error.filename or 'what is needed'}: {error.strerror or error}."
        _discard_what_cannot_be_written()
    typer.echo(sentence, err=True)
    sys.exit(1)
