"""What the config verbs print. The result goes to standard output, faults go to standard error, as at a start."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from mail_sender import log
from mail_sender.cli import config_text
from mail_sender.cli.terminal import Form
from mail_sender.config import effective, load, reference, schema, sources
from mail_sender.config.effective import Value
from mail_sender.config.origin import Origin
from mail_sender.config.reference import Entry
from mail_sender.config.sources import Sources
from mail_sender.errors import ConfigError, ConfigFault, Exit, UsageError

VERSION = 1
"""The version of the JSON of `check` and `show`: a new field does not change it."""


def print_check(client: Path, sender: Path, form: Form) -> Exit:
    """Print every fault and warning, and return the exit code. Raises `ConfigError` if text is wanted."""
    error, warnings = _findings(sources.read(client, sender))
    if form == "json":
        code = error.exit_code if error else Exit.DONE
        faults = [_fault(fault) for fault in error.faults] if error else []
        typer.echo(json.dumps({"version": VERSION, "exit": code, "faults": faults, "warnings": warnings}))
        return code
    if error:
        raise error
    for warning in warnings:
        typer.echo(f"warning: {warning}")
    counted = {0: "no warnings", 1: "1 warning"}.get(len(warnings), f"{len(warnings)} warnings")
    typer.echo(f"the configuration can be used: no faults, {counted}")
    return Exit.DONE


def print_values(client: Path, sender: Path, form: Form) -> Exit:
    """Print what counts and where it comes from; then the faults, if there are any, as an error."""
    found = sources.read(client, sender)
    error, _ = _findings(found)
    faulty = {fault.key for fault in error.faults} if error else set[str]()
    values = effective.values(found, faulty)
    code = error.exit_code if error else Exit.DONE
    if form == "json":
        files = {"client": str(client), "mail_sender": str(sender)}
        rows = [_value(value) for value in values]
        typer.echo(json.dumps({"version": VERSION, "exit": code, "files": files, "values": rows}))
        return code
    for line in config_text.listing(found.client, found.sender, values):
        typer.echo(line)
    if error:
        raise error
    return code


def print_schema() -> None:
    """Print the JSON schema."""
    typer.echo(json.dumps(schema.document(), indent=2, ensure_ascii=False))


def print_explanation(name: str | None, form: Form) -> None:
    """Print all that is said of a key, or of several; without a name, one line for each. Raises `UsageError`."""
    found = reference.find(name) if name else reference.entries()
    if not found:
        near = reference.nearest(name or "")
        advice = f"did you mean {near}?" if near else "`mail-sender config explain` lists all keys"
        raise UsageError(f"unknown key {name!r}: {advice}")
    if form == "json":
        typer.echo(json.dumps([_entry(entry) for entry in found]))
    elif name:
        typer.echo("\n\n".join(config_text.explanation(entry) for entry in found))
    else:
        for line in config_text.overview(found):
            typer.echo(line)


def _findings(found: Sources) -> tuple[ConfigError | None, list[str]]:
    try:
        config = load.of_sources(found)
    except ConfigError as error:
        return error, list(error.warnings)
    clean = log.Redactor(config.secrets).text
    return None, [clean(warning) for warning in config.warnings]


def _fault(fault: ConfigFault) -> dict[str, Any]:
    return {
        "file": str(fault.path),
        "line": fault.line,
        "key": fault.key,
        "variable": fault.name if fault.name.isupper() else None,
        "found": fault.found,
        "expected": fault.expected,
    }


def _value(value: Value) -> dict[str, Any]:
    shown = {
        "file": value.entry.file,
        "key": value.name,
        "value": value.value,
        "is_secret": value.entry.is_secret,
        "is_at_fault": value.is_at_fault,
    }
    return {**shown, "default": reference.plain(value.entry.default), "source": _source(value.origin)}


def _source(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return {"kind": "default"}
    if origin.kind == "environment":
        return {"kind": origin.kind, "variable": origin.name}
    named_by = _source(origin.via) if origin.via else None
    return {"kind": origin.kind, "path": str(origin.path), "line": origin.line, "named_by": named_by}


def _entry(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "name": entry.name, "default": reference.plain(entry.default), "text": entry.plain_text}
