"""What `template list`, `show`, `check` and `export` print.

The result goes to standard output, remarks about it go to standard error.
"""

import json
from pathlib import Path
from typing import Any

import typer

from mail_sender.cli import template_config, template_text
from mail_sender.cli.template_text import count
from mail_sender.cli.terminal import Form
from mail_sender.errors import Exit, MailSenderError
from mail_sender.preview import check, inventory
from mail_sender.preview import export as exports
from mail_sender.templating import template_set
from mail_sender.templating.template_set import PARTS, NoTemplate

_PARTS: dict[str, str] = dict(zip(("subject", "text", "html"), PARTS, strict=True))


def print_list(path: Path, form: Form) -> None:
    """Print every kind, the languages, and the files without use."""
    config = template_config.read(path).usable
    entries = inventory.entries(config)
    for line in template_text.lines(entries) if form == "text" else map(json.dumps, entries):
        typer.echo(line)
    if config.faults:
        typer.echo(f"{count(len(config.faults), 'fault')}: `mail-sender template check` lists them", err=True)


def print_sources(path: Path, kind: str, part: str | None, language: str | None, form: Form) -> None:
    """Print the templates of a kind: one part alone, or all three."""
    config = template_config.read(path).usable
    appearance = config.mail.appearance
    template_config.require(appearance.templates, kind, language or None)
    parts = (_PARTS[part],) if part else PARTS
    try:
        for entry in inventory.sources(config, kind, parts, language or appearance.languages.default):
            _print_source(entry, form, alone=part is not None)
    except NoTemplate as error:
        raise MailSenderError(str(error)) from None


def print_findings(path: Path, form: Form) -> Exit:
    """Print every fault and warning, and return the exit code."""
    config = template_config.read(path)
    findings = check.find(config)
    for fault in findings.faults:
        shown = {"file": str(fault.path), "line": fault.line, "key": fault.key, "found": fault.found}
        typer.echo(str(fault) if form == "text" else json.dumps({**shown, "expected": fault.expected}))
    warnings = [*config.warnings, *(f"elsewhere in the configuration: {fault}" for fault in config.elsewhere)]
    for warning in warnings:
        typer.echo(f"warning: {warning}" if form == "text" else json.dumps({"warning": warning}))
    exit_code = Exit.FAILED if findings.faults else Exit.DONE
    counted = f"{count(len(findings.faults), 'fault')}, {count(len(warnings), 'warning')}"
    where = f"{count(findings.files, 'file')} in {config.folder}" if config.folder else "the built-in templates"
    message = f"{counted}; checked {where}, made {count(findings.mails, 'mail')}"
    typer.echo(message if form == "text" else json.dumps({"exit": exit_code, "message": message}))
    return exit_code


def export(path: Path, folder: Path, kind: str | None) -> None:
    """Copy the built-in templates into a folder, and print how they are used."""
    template_config.require(template_set.built_in(), kind)
    copies = exports.export(folder, kind)
    typer.echo(
        f"{count(len(copies), 'file')} written. To use them, set in {path}:\n\n"
        f"    [templates]\n    override_path = {json.dumps(str(folder.absolute()), ensure_ascii=False)}\n\n"
        "Delete what you do not change: the built-in file is used in its place, and improves with each release.\n"
        "Then run `mail-sender template check`, and look at it with `mail-sender template preview --serve`."
    )


def _print_source(entry: dict[str, Any], form: Form, *, alone: bool) -> None:
    if form == "json":
        typer.echo(json.dumps(entry))
        return
    typer.echo(f"{entry['part']}: {entry['file']} ({'yours' if entry['yours'] else 'ours'})", err=alone)
    typer.echo(entry["source"] if alone else f"\n{entry['source']}")
