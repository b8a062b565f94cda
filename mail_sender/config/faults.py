"""The faults of a configuration file: pydantic's findings in plain words, with file, line and key."""

import difflib
from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mail_sender.config.keys import ClientFile, is_secret, misplaced, table_of
from mail_sender.config.toml_file import TomlFile
from mail_sender.config.values import shown
from mail_sender.errors import ConfigFault

Model = TypeVar("Model", bound=BaseModel)

_TYPES = {
    "string_type": "text in quotes",
    "int_type": "a whole number without quotes",
    "float_type": "a number without quotes",
    "bool_type": "true or false without quotes",
    "dict_type": "a table",
    "is_instance_of": "text in quotes",  # a path
    "path_type": "text in quotes",
    "model_type": "a table",
    "date_type": "a date without quotes, such as 2026-12-01",
    "model_attributes_type": "a table",
}
_OF_TABLES = frozenset({"dict_type", "model_type", "model_attributes_type"})
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
_LONGEST_NUMBER = 128
"""Bits of a number that a fault repeats."""


def checked(file: TomlFile, model: type[Model], faults: list[ConfigFault], warnings: list[str]) -> Model | None:
    """Return the file's values as its model, or None; faults and warnings are added to the two lists."""
    if file.faults:
        return None
    faults += _misspelt(file, model, warnings)
    try:
        return model.model_validate(file.values)
    except ValidationError as error:
        found = [detail for detail in error.errors(include_url=False) if not _is_unread(file, detail)]
        faults += [_translated(file, model, detail) for detail in found]
        return None


def _misspelt(file: TomlFile, model: type[BaseModel], warnings: list[str]) -> Iterator[ConfigFault]:
    """Yield a fault for each unknown top-level key that differs by at most two characters from a known one.

    All other unknown keys are warnings, but a known key in an unknown table is a fault, too.
    """
    for key, value in file.values.items():
        if key in model.model_fields or (model is ClientFile and isinstance(value, dict)):
            continue
        for inner in value if isinstance(value, dict) else ():
            if reason := misplaced(key, inner):
                yield file.fault((key, inner), *reason)
        if near := _nearest(key, set(model.model_fields)):
            yield file.fault((key,), "unknown key", f'did you mean "{near}"?')
        else:
            warnings.append(f"{file.path}:{file.line((key,))}: unknown key {shown(key)} is ignored")


def _nearest(key: str, known: set[str]) -> str | None:
    # The distance takes time for each pair of characters; of a key as long as a file that would be minutes.
    near = [name for name in known if abs(len(name) - len(key)) <= 2 and _distance(key.lower(), name) <= 2]
    return min(near, key=lambda name: (_distance(key.lower(), name), name), default=None)


def _distance(left: str, right: str) -> int:
    """Return Levenshtein's distance."""
    row = list(range(len(right) + 1))
    for index, char in enumerate(left, start=1):
        previous, row[0] = row[0], index
        for other, target in enumerate(right, start=1):
            previous, row[other] = row[other], min(row[other] + 1, row[other - 1] + 1, previous + (char != target))
    return row[-1]


def _is_unread(file: TomlFile, detail: ErrorDetails) -> bool:
    """Say whether a key is missing only because its own file could not be read, which is a fault already."""
    return detail["type"] == "missing" and tuple(str(part) for part in detail["loc"]) in file.unread


def _translated(file: TomlFile, model: type[BaseModel], detail: ErrorDetails) -> ConfigFault:
    key = tuple(str(part) for part in detail["loc"])
    misplacement = misplaced(".".join(key[:-1]), key[-1]) if len(key) > 1 else None
    return file.fault(key, *(misplacement or _in_plain_words(model, key, detail)))


def _in_plain_words(model: type[BaseModel], key: tuple[str, ...], detail: ErrorDetails) -> tuple[str, str]:
    """Return what pydantic found, and what was expected."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value":
        return context["found"], context["expected"]
    if kind == "missing":
        return "is missing", "it is required"
    if kind == "extra_forbidden":
        return "unknown key", _known_keys(model, key)
    is_misplaced = key[0] == "headers" or (kind in _OF_TABLES and isinstance(detail["input"], str))
    is_hidden = is_secret(*key) or is_misplaced
    found = _kind(detail["input"]) if is_hidden else _toml_text(detail["input"])
    if kind == "literal_error":
        return found, f"expected {context['expected']}"
    if kind in {"greater_than_equal", "less_than_equal"}:
        bound = context.get("ge", context.get("le"))
        return found, f"expected a number of at {'least' if 'ge' in context else 'most'} {bound:.9g}"
    return found, f"expected {_TYPES.get(kind, detail['msg'])}"


def _known_keys(model: type[BaseModel], key: tuple[str, ...]) -> str:
    known = sorted(_keys_of(model, key[:-1]))
    near = difflib.get_close_matches(key[-1], known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"[{'.'.join(key[:-1])}] has {', '.join(known)}"


def _keys_of(model: type[BaseModel], table: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys that a table of the file may have, by the names that they have there."""
    if not table:
        yield from (field.alias or name for name, field in model.model_fields.items())
        return
    if table[0].isdecimal():  # the place of one of several tables
        yield from _keys_of(model, table[1:])
        return
    if inner := table_of(model.model_fields[table[0]].annotation):
        yield from _keys_of(inner, table[1:])


def _toml_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:  # Python refuses to write out a huge one
        return "a huge number"
    return str(value) if isinstance(value, int | float) else _kind(value)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")
