"""The config verbs: `mail-sender config check | show | schema | explain`.

This module has their options. The code that carries them out (`config_output`, `config_text`) is imported inside, as
in `app`.
"""

from pathlib import Path
from typing import Annotated

import typer

from mail_sender.cli.terminal import Form

app = typer.Typer(
    help="Check the configuration, show what counts, explain a key.",
    epilog="None of these starts a sender, needs one, or uses the network. "
    "Exit codes: 0 done; 2 wrong usage; 77 a file may not be read; 78 the configuration has faults.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Output = Annotated[Form, typer.Option("-o", "--output", help="json: one object.")]


@app.command(short_help="Find every fault, without starting.")
def check(context: typer.Context, output: Output = "text") -> None:
    """Read both files and all that they name, as a start does, and print every fault and warning.

    Run it as the sender's user: as root it does not see what that user may not read.
    """
    from mail_sender.cli import config_output  # noqa: PLC0415 - see the module's text

    raise typer.Exit(config_output.print_check(*_files(context), output))


@app.command(short_help="Show what counts, and where it comes from.")
def show(context: typer.Context, output: Output = "text") -> None:
    """Show the value of every key, and where it comes from: a line, a variable, a secret's file, the default.

    Secrets are hidden.
    """
    from mail_sender.cli import config_output  # noqa: PLC0415 - see the module's text

    raise typer.Exit(config_output.print_values(*_files(context), output))


@app.command(short_help="Print the JSON schema for editors.")
def schema() -> None:
    """Print the JSON schema of the mail-sender config. taplo and VS Code complete and check the file with it."""
    from mail_sender.cli import config_output  # noqa: PLC0415 - see the module's text

    config_output.print_schema()


def _keys(incomplete: str) -> list[str]:
    """Return the keys that a shell may complete."""
    from mail_sender.config import reference  # noqa: PLC0415 - see the module's text

    return [entry.name for entry in reference.entries() if entry.name.startswith(incomplete)]


@app.command(short_help="Explain a key.")
def explain(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]",
            help="A key (relay.ca_path), a table (relay), or a variable; without it all keys are listed.",
            show_default=False,
            autocompletion=_keys,
        ),
    ] = None,
    output: Output = "text",
) -> None:
    """Say what a key does, and its type, default, example and variable; it reads no configuration."""
    from mail_sender.cli import config_output  # noqa: PLC0415 - see the module's text

    config_output.print_explanation(key, output)


def _files(context: typer.Context) -> tuple[Path, Path]:
    given = context.find_root().params
    return Path(given["client_config"]), Path(given["sender_config"])
