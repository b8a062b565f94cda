"""The template verbs: `mail-sender template list | show | preview | check | export`.

This module has their options. The verbs need only the mail-sender config, send nothing and use no network. The code
that carries them out (`template_output`, `template_preview`) is imported inside, as in `app`.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperCommand

from mail_sender.cli.terminal import Form
from mail_sender.errors import UsageError

PORT = "8026"
"""Where `--serve` serves, unless a port is named."""

app = typer.Typer(
    help="Show, preview and check the templates of mails.",
    epilog="KIND is a kind of mail, such as credential_reset_v1. With -o json, each line is one JSON object. "
    "Exit codes: 0 done; 1 there are faults, or it could not be done; 2 wrong usage; 77 a file may not be read; "
    "78 the configuration cannot be used.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class _WithPort(TyperCommand):
    """A command whose `--serve` may stand alone, or before a port."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # click's, which typer vendors
        """Put the usual port where none is named."""
        alone = [
            index
            for index, word in enumerate(args)
            if word == "--serve" and not "".join(args[index + 1 : index + 2]).isdecimal()
        ]
        for index in reversed(alone):
            args.insert(index + 1, PORT)
        return super().parse_args(ctx, args)


Part = Literal["subject", "text", "html"]
Kind = Annotated[str, typer.Argument(metavar="KIND", help="The kind of mail; `template list` names them.")]
Output = Annotated[Form, typer.Option("-o", "--output", help="json: one object a line.")]
Language = Annotated[
    str | None, typer.Option("--language", metavar="TAG", help="A tag such as de. Default: the configuration's.")
]


@app.command("list", short_help="List kinds, files, variables, languages.")
def list_(context: typer.Context, output: Output = "text") -> None:
    """List every kind with its variables and files; list the languages and the files that nothing uses."""
    from mail_sender.cli import template_output  # noqa: PLC0415 - see the module's text

    template_output.print_list(_config(context), output)


@app.command(short_help="Show the template that is used.")
def show(
    context: typer.Context,
    kind: Kind,
    part: Annotated[Part | None, typer.Option("--part", help="Only this part; the default is all three.")] = None,
    language: Language = None,
    output: Output = "text",
) -> None:
    """Show the templates of a kind, and where they are."""
    from mail_sender.cli import template_output  # noqa: PLC0415 - see the module's text

    template_output.print_sources(_config(context), kind, part, language, output)


@app.command(cls=_WithPort, short_help="Show a mail before it is sent.")
def preview(
    context: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="The kind of mail; with --serve the default is all.")
    ] = None,
    language: Language = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE", readable=False, help='JSON with fields of the kind: {"display_name": "Ellie"}.'
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the mail (.eml) or a part (.html, .txt).")
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve",
            metavar="[PORT]",
            min=0,
            max=65535,
            show_default=False,
            help=f"Serve all kinds and languages as a page on 127.0.0.1; the default port is {PORT}; 0: a free one.",
        ),
    ] = None,
) -> None:
    """Make the mail of a made-up message, with the code that makes real mail; print its subject and text."""
    from mail_sender.cli import template_preview  # noqa: PLC0415 - see the module's text

    if serve is None:
        if kind is None:
            raise UsageError("name a KIND (`mail-sender template list` shows them), or use --serve to show all")
        template_preview.print_mail(_config(context), kind, language, data, out)
    elif out is not None:
        raise UsageError("--out writes one mail, --serve shows all mails: use only one of them")
    elif data is not None and kind is None:
        raise UsageError("--data holds the fields of one kind: name the KIND")
    else:
        template_preview.serve(_config(context), serve, kind, language, data)


@app.command(short_help="Find what is wrong with your templates.")
def check(context: typer.Context, output: Output = "text") -> None:
    """Read all your files, and make a mail of each kind in each language; exit with 1 if there are faults."""
    from mail_sender.cli import template_output  # noqa: PLC0415 - see the module's text

    raise typer.Exit(template_output.print_findings(_config(context), output))


@app.command(short_help="Copy the built-in templates.")
def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The target; nothing in it is overwritten.")],
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only this kind's templates.")] = None,
) -> None:
    """Copy the built-in templates and sentences into a folder, so that you can change them."""
    from mail_sender.cli import template_output  # noqa: PLC0415 - see the module's text

    template_output.export(_config(context), folder, kind)


def _config(context: typer.Context) -> Path:
    return Path(context.find_root().params["sender_config"])
