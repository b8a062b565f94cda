"""One TOML file: its values, and the line on which each key stands.

`toml` reads TOML 1.1, as Kanidm's own parser does, and says where a syntax error is. It does not say on which line a
key stands, so a second, simpler pass over the lines finds that. Only line numbers come from the second pass, never
values: if it misses a key, a fault is shown without its line.

A value may be put over the file's: one of the environment, or a secret that stands in a file of its own (`put`). A
fault of such a key names the place that the value comes from.
"""

import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from mail_sender import log, toml
from mail_sender.config import secrets
from mail_sender.config.origin import Origin
from mail_sender.errors import ConfigFault

HEADER = re.compile(r"^\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
"""The line that begins a table, or one of several."""
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_MULTILINE = ('"""', "'''")


LARGEST = 1024 * 1024
"""Octets of a file, at most; one with every key has ten thousand."""

Key = tuple[str, ...]
"""A key with its tables, outermost first."""


class TomlFile:
    """A file's parsed content, and what was put over it; of one that is not written yet, `text` is what it will hold.

    `values` is the file's table, and `holds_secrets` says that secrets stand in its text. `faults` say why the file
    could not be read (then `values` is empty); `is_missing` that there is none. `flag` names another one on the
    command line. `mode` has the file's permission bits. `origins` has the place of each value that is not this
    file's, and `unread` the keys whose value stands in a file that could not be read.
    """

    def __init__(self, path: Path, text: str | None = None, *, flag: str = "") -> None:
        self.path = path
        self._flag = flag
        self.values: dict[str, Any] = {}
        self.faults: list[ConfigFault] = []
        self.mode = 0
        self.is_missing = False
        self.holds_secrets = False
        self.origins: dict[Key, Origin] = {}
        self.unread: set[Key] = set()
        self._lines: dict[str, int] = {}
        self._text = self._read() if text is None else text
        if self._text is not None:
            self._parse(self._text)

    def value(self, key: Key) -> object:
        """Return a key's value as it is in the file, or None; a number is a place in a list of tables, from 0."""
        found: object = self.values
        for part in key:
            if isinstance(found, list):
                found = found[int(part)] if part.isdecimal() and int(part) < len(found) else None
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return found

    def put(self, key: Key, value: object, origin: Origin) -> None:
        """Put a value over the file's; where something else stands in a table's place, that stays, and is a fault."""
        table: object = self.values
        for part in key[:-1]:
            if isinstance(table, list):
                table = table[int(part)]
            else:
                table = table.setdefault(part, {}) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table[key[-1]] = value
            self.origins[key] = origin

    def origin(self, key: Key) -> Origin:
        """Return where the value of a key stands, or would stand: its own place, or that of its table."""
        for length in range(len(key), 0, -1):
            if (origin := self.origins.get(key[:length])) is not None:
                return origin
        return Origin("file", self.path, self.line(key))

    @property
    def secret_files(self) -> list[Path]:
        """The files that hold a secret alone."""
        return [origin.path for origin in self.origins.values() if origin.kind in {"secret_file", "credential"}]

    @property
    def places(self) -> frozenset[Path]:
        """The paths that a fault of this file's keys may name."""
        return frozenset({self.path, *(origin.path for origin in self.origins.values())})

    def table_alone(self, name: str) -> dict[str, Any] | None:
        """Return a table of a file that is no TOML as a whole, if its own lines are; else None."""
        lines = (self._text or "").splitlines()
        headers = [number for number, line in enumerate(lines) if HEADER.match(line)]
        for number in headers:
            if (found := HEADER.match(lines[number])) and found[1].strip() == name:
                end = next((later for later in headers if later > number), len(lines))
                try:
                    return dict(toml.loads("\n".join(lines[number + 1 : end])))
                except toml.NotToml:
                    return None
        return None

    def line(self, key: Key) -> int | None:
        """Return the line of a key, or else of its table, or None."""
        for length in range(len(key), 0, -1):
            if (line := self._lines.get(".".join(key[:length]))) is not None:
                return line
        return None

    def fault(self, key: Key, found: str, expected: str, *, unreadable: bool = False) -> ConfigFault:
        """Return a fault of one of this file's keys, where its value stands, and without the file's secrets."""
        hidden = {part: secrets.without_likely(part) for part in key}
        for part, shown in hidden.items():
            if part != shown:
                found, expected = found.replace(part, shown), expected.replace(part, shown)
        name = ".".join(hidden[part] for part in key)
        origin, clean = self.origin(key), log.Redactor(secrets.known(self.values)).text
        return ConfigFault(origin.path, origin.line, name, clean(found), clean(expected), unreadable, origin.name)

    def unreadable(self, key: Key, named: Path, error: OSError) -> ConfigFault:
        """Return the fault of a key that names a file or folder which cannot be read."""
        found, expected = access(named, error)
        return self.fault(key, f"{named} {found}", expected, unreadable=True)

    def _read(self) -> str | None:
        try:
            with self.path.open("rb") as file:
                self.mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                octets = file.read(LARGEST + 1)
            if len(octets) <= LARGEST:
                return octets.decode("utf-8-sig")
            self._refuse("is larger than 1 MiB", "expected a TOML file with a few tables")
        except FileNotFoundError:
            self.is_missing = True
            how = f"create it (`mail-sender init` does), or name another with {self._flag}"
            self._refuse("no such file", how if self._flag else "create it, or name another file")
        except IsADirectoryError:
            expected = "expected a file (a container engine creates a folder if a mounted file is missing)"
            self._refuse("is a folder", expected)
        except UnicodeDecodeError as error:
            self._refuse(f"byte {error.start} is not UTF-8", "expected a TOML file, which is UTF-8 text")
        except OSError as error:
            found, expected = access(self.path, error)
            self.faults.append(ConfigFault(self.path, None, "", found, expected, unreadable=True))
        return None

    def _refuse(self, found: str, expected: str) -> None:
        self.faults.append(ConfigFault(self.path, None, "", found, expected))

    def _parse(self, text: str) -> None:
        try:
            self.values = toml.loads(text)
            self.holds_secrets = bool(secrets.known(self.values))
        except toml.NotToml as error:
            found = f"not TOML: {error.found.lower()}"
            self.faults.append(ConfigFault(self.path, error.line, "", found, _advice(error.found)))
        self._lines = _key_lines(text)


def _advice(complaint: str) -> str:
    if "nested" in complaint:
        return "expected a few plain tables"
    if "backslash" in complaint:
        return "write it twice, or put the text in single quotes"
    if "value" in complaint and "nvalid" in complaint:
        return "text must be in quotes; true and false are lower case"
    return "each may appear only once" if re.search("overwrite|twice", complaint) else "correct the line"


def access(path: Path, error: OSError) -> tuple[str, str]:
    """Say why a path cannot be read, and who must be able to read it."""
    expected = f"must be readable by uid {os.geteuid()}, which this process runs as"
    try:
        status = path.stat()
    except OSError:
        found = f"cannot be reached ({error.strerror})"
    else:
        owner, mode = f"{status.st_uid}:{status.st_gid}", stat.S_IMODE(status.st_mode)
        found = f"cannot be read ({error.strerror}): owner {owner}, mode {mode:04o}"
    return found, expected


def _key_lines(text: str) -> dict[str, int]:
    lines: dict[str, int] = {}
    table: tuple[str, ...] = ()
    tables = Counter[tuple[str, ...]]()
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = "" if closing in line else closing
        elif match := HEADER.match(line):
            table = _split(match[1])
            lines.setdefault(".".join(table), number)
            if line.lstrip().startswith("[["):  # one of several
                tables[table] += 1
                table = *table, str(tables[table] - 1)
                lines[".".join(table)] = number
        elif match := _KEY.match(line):
            lines.setdefault(".".join((*table, *_split(match[1]))), number)
            closing = next((quotes for quotes in _MULTILINE if line.count(quotes) % 2), "")
    return lines


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
