"""Changes the text of a TOML file, and leaves all that it does not change as somebody wrote it, comments as well.

A key that is there gets a new value on its line; one that is not goes to the end of its table, the top level's before
the first table, and one that names a file (`token_path`) below the key that it stands for. The result is read again:
if it says anything but what was wanted, nothing is changed.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from mail_sender import toml
from mail_sender.config.toml_file import HEADER, Key


class CannotChange(Exception):
    """A key stands there in a way that this module does not change; its name is the text."""


def quoted(text: str) -> str:
    """Return a text as a TOML basic string (https://toml.io, String)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def changed(text: str, values: Mapping[Key, str | None]) -> str:
    """Return the text with some keys set; None takes a key out. Raises `CannotChange`, `toml.NotToml`."""
    for key, value in values.items():
        wanted = _expected(toml.loads(text), key, value)
        text = _with(text, key, value)
        try:
            is_good = toml.loads(text) == wanted
        except toml.NotToml:
            is_good = False
        if not is_good:
            raise CannotChange(".".join(key))
    return text


def _expected(values: dict[str, Any], key: Key, value: str | None) -> dict[str, Any]:
    table = values
    for name in key[:-1]:
        table = table.get(name, {}) if value is None else table.setdefault(name, {})
    if value is None:
        table.pop(key[-1], None)
    else:
        table[key[-1]] = value
    return values


def _with(text: str, key: Key, value: str | None) -> str:
    lines = text.splitlines()
    line = f"{key[-1]} = {quoted(value)}" if value is not None else None
    begin, end = _table(lines, key[:-1])
    if begin is None:
        added = [*([""] if lines else []), f"[{'.'.join(key[:-1])}]", line] if line is not None else []
        return "\n".join([*lines, *filter(_is_text, added), ""])
    at = _line(lines[begin:end], key[-1])
    if at is not None:
        at += begin
        lines[at : at + 1] = [line] if line is not None else []
    elif line is not None:
        if (beside := _line(lines[begin:end], key[-1].removesuffix("_path"))) is not None:
            end = begin + beside + 1
        while end > begin and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, line)
    return "\n".join([*lines, ""])


def _line(lines: list[str], name: str) -> int | None:
    """Return the line on which a key stands."""
    found = re.compile(rf"\s*(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')\s*=")
    return next((number for number, line in enumerate(lines) if found.match(line)), None)


def _is_text(line: str | None) -> bool:
    return line is not None


def _table(lines: list[str], table: Key) -> tuple[int | None, int]:
    """Return where a table's lines begin and end; the top level begins at the first line."""
    headers = [(number, found[1]) for number, line in enumerate(lines) if (found := HEADER.match(line))]
    begins = 0 if not table else next((at + 1 for at, name in headers if name == ".".join(table)), None)
    return begins, next((at for at, _ in headers if begins is not None and at >= begins), len(lines))
