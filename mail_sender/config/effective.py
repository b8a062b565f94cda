"""What counts: the value of every key, and where it comes from, without secrets.

The values are those of the files and of what goes over them, as they are written there. Of a key at fault there is
no value: something else may stand in its place, which may be a secret.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from mail_sender import log
from mail_sender.config import reference, secrets
from mail_sender.config.fields import KeyField, inside, of_client, of_sender
from mail_sender.config.origin import Origin
from mail_sender.config.reference import Entry
from mail_sender.config.secrets import HIDDEN
from mail_sender.config.sources import Sources
from mail_sender.config.toml_file import Key, TomlFile
from mail_sender.names.secret import Secret

_LOGIN = re.compile(r"(?<=://)[^/\s]*@")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Value:
    """A key, and what counts for it.

    `name` is the key with its tables, of several tables with a number. `value` is plain data; a secret in it is
    `HIDDEN`. `origin` is None where the default counts; then `value` may be None, and `entry.default` has words.
    """

    entry: Entry
    name: str
    value: object
    origin: Origin | None
    is_at_fault: bool = False


def values(found: Sources, at_fault: Iterable[str]) -> tuple[Value, ...]:
    """Return the value of every key of both files; `at_fault` names keys or tables that cannot be used."""
    faulty = frozenset(at_fault)
    by_name = {entry.name: entry for entry in reference.entries()}
    clean = _Cleaner(secrets.of_all(found.client.values, found.sender.values))
    return tuple(
        _value(file, key, by_name[name], faulty, clean)
        for file, fields in ((found.client, of_client()), (found.sender, of_sender()))
        for key, name in _keys(file, fields)
    )


def toml_pair(key: str, value: object) -> str:
    """Return a key with plain data as TOML has it, on one line."""
    return f"{key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)} = {_toml_text(value)}"


def _toml_text(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(toml_pair(key, one) for key, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_text, value))}]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


class _Cleaner:
    """Takes secrets out of values: known ones, those that look like one, and logins in URLs."""

    def __init__(self, known: Iterable[Secret]) -> None:
        self._redact = log.Redactor(known).text

    def known(self, value: object) -> object:
        """Return plain data without the secrets that are known."""
        return [self.known(one) for one in value] if isinstance(value, list) else self._redact(str(value))

    def __call__(self, value: object) -> object:
        """Return plain data without what is a secret, or may be one."""
        if isinstance(value, str):
            return secrets.without_likely(self._redact(_LOGIN.sub(f"{HIDDEN}@", value)))
        if isinstance(value, Mapping):
            return {str(self(key)): self(one) for key, one in value.items()}
        return [self(one) for one in value] if isinstance(value, list) else value


def _keys(file: TomlFile, fields: Iterable[KeyField]) -> Iterator[tuple[Key, str]]:
    """Yield each key, with the name of its entry; of several tables those keys that are set."""
    for field in fields:
        name = f"client.{field.name}" if field.file == "client" else field.name
        tables = file.value(field.key)
        if field.kind != "tables" or not isinstance(tables, list):
            yield field.key, name
            continue
        for number in range(len(tables)):
            for one, each in zip(inside(field, str(number)), inside(field), strict=True):
                if file.value(one.key) is not None:
                    yield one.key, each.name


def _value(file: TomlFile, key: Key, entry: Entry, faulty: frozenset[str], clean: _Cleaner) -> Value:
    name = ".".join(key)
    found = file.value(key)
    ways = {".".join(key[:length]) for length in range(1, len(key) + 1)}
    if not faulty.isdisjoint(ways) or any(fault.startswith(f"{name}.") for fault in faulty):
        return Value(entry, name, None, file.origin(key), is_at_fault=True)
    if found is None:
        return Value(entry, name, entry.default_value, None)
    if entry.is_secret:
        found = _relay(str(found)) if entry.key == "mail_relay" else _hidden(found)
    return Value(entry, name, clean.known(found) if _looks_generated(entry) else clean(found), file.origin(key))


def _looks_generated(entry: Entry) -> bool:
    """Say whether what stands there looks like a secret and is none: a folder's name, a fingerprint."""
    return entry.type == "path" or entry.name == "relay.pin_sha256"


def _relay(text: str) -> str:
    """Return a relay without its login, which ends at the last @."""
    scheme, _, place = text.rpartition("://") if "://" in text.partition("@")[0] else ("", "", text)
    _, at, host = place.rpartition("@")
    return f"{f'{scheme}://' if scheme else ''}{f'{HIDDEN}@' if at else ''}{host}"


def _hidden(value: object) -> object:
    if isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    return [HIDDEN for _ in value] if isinstance(value, list) else HIDDEN
