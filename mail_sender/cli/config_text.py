"""The config verbs' texts for people: within 80 columns where words allow it, in colour on a terminal."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from mail_sender import log
from mail_sender.cli.terminal import styled
from mail_sender.config import effective, reference
from mail_sender.config.effective import Value
from mail_sender.config.origin import Origin
from mail_sender.config.reference import Entry
from mail_sender.config.toml_file import TomlFile

WIDTH = 80
_WHOLE_WORDS: Mapping[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
_FREE = "table of texts"
_COLUMN = 42
"""Where the origin of a value begins, if the value leaves room for it."""


def listing(client: TomlFile, sender: TomlFile, values: Iterable[Value]) -> Iterator[str]:
    """Yield every value as a line of TOML, with its origin as a comment."""
    files = {"client": ("the client config", client), "sender": ("the mail-sender config", sender)}
    for kind, of_file in groupby(values, key=lambda value: value.entry.file):
        title, file = files[kind]
        yield styled(f"# {title}: {file.path}{' (no such file)' if file.is_missing else ''}", bold=True)
        for table, of_table in groupby(of_file, key=_table):
            if table:
                yield styled(_heading(table), bold=True)
            for value in of_table:
                yield from _lines(value)
        yield ""


def explanation(entry: Entry) -> str:
    """Return all that is said of a key."""
    where = " of the client config" if entry.file == "client" else ""
    said = textwrap.fill(reference.sentence(entry.plain_text), WIDTH, initial_indent="  ", subsequent_indent="  ")
    rows = [
        ("type", f"{entry.type}; a secret, which is never shown" if entry.is_secret else entry.type),
        ("default", reference.plain(entry.default)),
        ("example", f"{entry.key} = {entry.example}"),
        ("keys", ", ".join(reference.keys_of(entry))),
        ("environment", " or ".join(entry.variables)),
        ("more", ", ".join(entry.pages or ("docs/configuration.md",))),
    ]
    lines = [_row(name, text) for name, text in rows if text]
    return "\n".join([styled(f"{entry.title}{where}", bold=True), "", said, "", *lines])


def overview(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a line for each key."""
    width = 30
    for (file, table), some in groupby(entries, key=lambda entry: (entry.file, entry.table)):
        top = "the client config" if file == "client" else "the mail-sender config"
        yield styled(f"[{table}]" if table else top, bold=True)
        for entry in some:
            yield f"  {entry.key:{width}}{textwrap.shorten(entry.plain_text, WIDTH - width - 2, placeholder=' ...')}"


def _heading(table: str) -> str:
    """Return the line that begins a table; one of several has a number as its last name."""
    names, _, number = table.rpartition(".")
    return f"[[{names}]]" if number.isdecimal() else f"[{table}]"


def _table(value: Value) -> str:
    """Return the table that a value stands in; a table of the user's own names stands in itself."""
    return value.name if value.entry.type == _FREE and not value.entry.table else value.name.rpartition(".")[0]


def _lines(value: Value) -> Iterator[str]:
    key, origin = value.entry.key, "default" if value.origin is None else _place(value.origin)
    if value.is_at_fault:
        yield styled(f"# {key} is at fault ({origin})", fg="red")
    elif value.value is None:
        yield styled(f"# {key}: {reference.plain(value.entry.default)}", dim=True)
    elif isinstance(value.value, Mapping) and _table(value) == value.name:
        for name, one in value.value.items():
            yield from _line(effective.toml_pair(name, one), origin)
    else:
        yield from _line(effective.toml_pair(key, value.value), origin, dim=value.origin is None)


def _line(pair: str, origin: str, **style: Any) -> Iterator[str]:
    """Yield a key with its value, and the origin beside it, or above it if there is no room."""
    text = log.printable(pair)
    if max(len(text), _COLUMN - 2) + len(origin) + 4 <= WIDTH:
        yield styled(f"{text:{_COLUMN - 2}}  # {origin}", **style)
    else:
        yield styled(f"# {origin}:", **style)
        yield styled(text, **style)


def _place(origin: Origin) -> str:
    match origin.kind:
        case "environment":
            return origin.name
        case "credential":
            return f"systemd credential {origin.path}"
        case "secret_file" if origin.via is not None:
            named = f"{origin.via.name} in {_place(origin.via)}" if origin.via.kind == "file" else origin.via.name
            return f"{origin.path}, from {named}"
        case "preset":
            return f"the preset in line {origin.line}" if origin.line else "the preset"
    return f"line {origin.line}" if origin.line else "the file"


def _row(name: str, text: str) -> str:
    indent = f"  {name:13}"
    if len(indent) + len(text) <= WIDTH:
        return indent + text
    below = " " * len(indent)
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=below, **_WHOLE_WORDS)
