"""The template verbs: `mail-sender template list | show | preview | check | export`.

They need the mail-sender config alone, and no more of it than makes a mail (`lenient_config`); nothing is sent, no
network is used. What was asked for goes to standard output, what is to be said about it to standard error. What
carries them out is imported inside, as in `cli`.
"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from mail_sender.errors import Exit, MailSenderError, UsageError

if TYPE_CHECKING:
    from mail_sender.preview.lenient_config import LenientConfig as Basis
    from mail_sender.preview.sample_mail import SampleMail

PORT = "8026"
"""Where `--serve` serves, unless told."""
_PARTS = ("subject", "text", "html")

app = typer.Typer(
    help="Look at the templates of mails: which there are, what they make, whether yours are right.",
    epilog="KIND is a kind of mail, such as credential_reset_v1. With -o json each line is one JSON object. "
    "Exit codes: 0 done; 1 there are faults, or it could not be done; 2 wrong usage; 77 a file may not be read; "
    "78 the configuration cannot be used.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class _WithPort(TyperCommand):
    """A command whose `--serve` may stand alone, or before a port."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the usual port where none is named."""
        alone = [
            index
            for index, word in enumerate(args)
            if word == "--serve" and not "".join(args[index + 1 : index + 2]).isdecimal()
        ]
        for index in reversed(alone):
            args.insert(index + 1, PORT)
        return super().parse_args(ctx, args)


Form = Literal["text", "json"]
Kind = Annotated[str, typer.Argument(metavar="KIND", help="The kind of mail; `template list` names them.")]
Output = Annotated[Form, typer.Option("-o", "--output", help="json: one object a line.")]
Language = Annotated[
    str | None, typer.Option("--language", metavar="TAG", help="Such as de; else as the configuration has it.")
]


@app.command("list", short_help="List kinds, files, variables, languages.")
def list_(context: typer.Context, output: Output = "text") -> None:
    """List every kind with the files that make its parts and its variables; the languages; files without use."""
    from mail_sender.cli import template_text  # noqa: PLC0415 - see the module's text
    from mail_sender.preview import inventory  # noqa: PLC0415 - see the module's text

    basis = _basis(context)
    entries = inventory.entries(basis)
    for line in template_text.lines(entries) if output == "text" else map(json.dumps, entries):
        typer.echo(line)
    _say_faults(basis)


@app.command(short_help="Show the template that counts.")
def show(
    context: typer.Context,
    kind: Kind,
    part: Annotated[
        Literal["subject", "text", "html"] | None, typer.Option("--part", help="Only this part; else all three.")
    ] = None,
    language: Language = None,
    output: Output = "text",
) -> None:
    """Show the templates of a kind, and where they lie."""
    from mail_sender.preview import inventory  # noqa: PLC0415 - see the module's text
    from mail_sender.templating.template_set import PARTS, NoTemplate  # noqa: PLC0415 - as above

    basis = _basis(context)
    _check_kind(basis, kind)
    spoken = _language(basis, language) or basis.mail.appearance.languages.default
    parts = (PARTS[_PARTS.index(part)],) if part else PARTS
    try:
        for entry in inventory.sources(basis, kind, parts, spoken):
            _print_source(entry, output, alone=part is not None)
    except NoTemplate as error:
        raise MailSenderError(str(error)) from None


@app.command(cls=_WithPort, short_help="Show a mail before it is sent.")
def preview(
    context: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="The kind of mail; with --serve all, unless named.")
    ] = None,
    language: Language = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE", readable=False, help='JSON with fields of the kind: {"display_name": "Ellie"}.'
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it: .eml the mail, .html or .txt its part.")
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve",
            metavar="[PORT]",
            min=0,
            max=65535,
            show_default=False,
            help=f"Serve all kinds and languages as a page on 127.0.0.1, port {PORT} unless named (0: a free one).",
        ),
    ] = None,
) -> None:
    """Make the mail of a made-up message, by the code that makes real mail; print its subject and text."""
    if serve is None:
        if kind is None:
            raise UsageError("say which KIND: `mail-sender template list` names them; or --serve all of them")
        _print_preview(_basis(context), kind, language, data, out)
    elif out is not None:
        raise UsageError("--out writes one mail, --serve shows them: give one of the two")
    elif data is not None and kind is None:
        raise UsageError("--data holds the fields of one kind: say which KIND")
    else:
        _serve(context, serve, kind, language, data)


@app.command(short_help="Find what is wrong with your templates.")
def check(context: typer.Context, output: Output = "text") -> None:
    """Look at every file of yours, and make a mail of each kind in each language; faults make the exit code 1."""
    from mail_sender.preview import check  # noqa: PLC0415 - see the module's text

    basis = _basis(context, usable=False)
    findings = check.find(basis)
    for fault in findings.faults:
        shown = {"file": str(fault.path), "line": fault.line, "key": fault.key, "found": fault.found}
        typer.echo(str(fault) if output == "text" else json.dumps({**shown, "expected": fault.expected}))
    warnings = [*basis.warnings, *(f"elsewhere in the configuration: {fault}" for fault in basis.elsewhere)]
    for warning in warnings:
        typer.echo(f"warning: {warning}" if output == "text" else json.dumps({"warning": warning}))
    exit_code = Exit.FAILED if findings.faults else Exit.DONE
    counted = f"{_count(len(findings.faults), 'fault')}, {_count(len(warnings), 'warning')}"
    where = f"{_count(findings.files, 'file')} in {basis.folder}" if basis.folder else "the built-in templates"
    say = f"{counted}; looked at {where}, made {_count(findings.mails, 'mail')}"
    typer.echo(say if output == "text" else json.dumps({"exit": exit_code, "message": say}))
    raise typer.Exit(exit_code)


@app.command(short_help="Copy the built-in templates.")
def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; nothing there is overwritten.")],
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only this kind's templates.")] = None,
) -> None:
    """Copy the built-in templates and sentences into a folder, to start one of your own from."""
    from mail_sender.preview import export  # noqa: PLC0415 - see the module's text
    from mail_sender.templating import template_set  # noqa: PLC0415 - see the module's text

    if kind is not None:
        _require(kind, template_set.built_in().kinds)
    copies = export.export(folder, kind)
    typer.echo(
        f"{_count(len(copies), 'file')} written. To use them, in {_path(context)}:\n\n"
        f"    [templates]\n    override_path = {json.dumps(str(folder.absolute()), ensure_ascii=False)}\n\n"
        "Take out what you do not change: what is not there stays ours, and is kept up with each release.\n"
        "Then `mail-sender template check`, and `mail-sender template preview --serve` to look at it."
    )


# What it is about


def _path(context: typer.Context) -> Path:
    return Path(context.find_root().params["sender_config"])


def _basis(context: typer.Context, *, usable: bool = True) -> "Basis":
    from mail_sender.preview import lenient_config  # noqa: PLC0415 - see the module's text

    path = _path(context)
    basis = lenient_config.read(path)
    if basis.config is None:
        typer.echo(f"{path}: no such file; these are the built-in templates, with a made-up instance", err=True)
    return basis.usable if usable else basis


def _check_kind(basis: "Basis", kind: str | None) -> None:
    if kind is not None:
        _require(kind, basis.mail.appearance.templates.kinds)


def _require(kind: str, known: tuple[str, ...]) -> None:
    if kind not in known:
        raise UsageError(f"there is no kind {kind!r}; there are {', '.join(known)}")


def _language(basis: "Basis", tag: str | None) -> str | None:
    """Return a language that there are sentences in.

    Raises `UsageError`.
    """
    from mail_sender.templating import wording  # noqa: PLC0415 - see the module's text

    templates = basis.mail.appearance.templates
    if tag is None:
        return None
    try:
        wording.locale(tag)
    except wording.BadLanguage as error:
        raise UsageError(f"--language {tag!r}: {error}") from None
    if not templates.speaks(tag):
        raise UsageError(f"there are no sentences in {tag}; there are {', '.join(sorted(templates.wordings))}")
    return tag


# What is done with it


def _print_preview(basis: "Basis", kind: str, language: str | None, data: Path | None, out: Path | None) -> None:
    _check_kind(basis, kind)
    made = _made(basis, kind, _language(basis, language), data)
    if out is None:
        typer.echo(f"Subject: {made.subject}\n\n{made.text}", nl=False)
    else:
        made.write(out)
        typer.echo(f"{out} written", err=True)
    if made.mail.fault:
        raise MailSenderError(f"{made.mail.fault}; the built-in one stands in for it here, as it would in a mail")


def _made(basis: "Basis", kind: str, language: str | None, data: Path | None) -> "SampleMail":
    from mail_sender.mail.render import BrokenTemplate, Unrenderable  # noqa: PLC0415 - as above
    from mail_sender.preview import sample_mail  # noqa: PLC0415 - see the module's text
    from mail_sender.templating import samples  # noqa: PLC0415 - see the module's text

    try:
        return sample_mail.render_sample(basis.mail, kind, language, sample_mail.read_fields(data))
    except samples.BadData as error:
        raise UsageError(f"{data}: {error}") from None
    except (BrokenTemplate, Unrenderable) as error:
        raise MailSenderError(str(error)) from None


def _serve(context: typer.Context, port: int, kind: str | None, language: str | None, data: Path | None) -> None:
    from mail_sender.preview import lenient_config, page, sample_mail, server  # noqa: PLC0415 - as above

    basis, path = _basis(context, usable=False), _path(context)
    if not basis.unusable:
        _check_kind(basis, kind)
        _language(basis, language)
    fields = partial(sample_mail.read_fields, data)
    fields()
    shown = page.Previews(partial(lenient_config.read, path), kind, language, fields)
    with server.listen(port, shown) as listening:
        typer.echo(f"Previews at {listening.url} - reload the page after a change; Ctrl-C ends this.")
        listening.serve()


def _print_source(entry: dict[str, Any], output: Form, *, alone: bool) -> None:
    if output == "json":
        typer.echo(json.dumps(entry))
        return
    typer.echo(f"{entry['part']}: {entry['file']} ({'yours' if entry['yours'] else 'ours'})", err=alone)
    typer.echo(entry["source"] if alone else f"\n{entry['source']}")


def _say_faults(basis: "Basis") -> None:
    if basis.faults:
        typer.echo(f"{_count(len(basis.faults), 'fault')}: `mail-sender template check` tells them", err=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
