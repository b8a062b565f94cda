"""The catalogues `wording/<language>.toml`: from their text to the sentences of each language.

A catalogue has tables of sentences, and may say `reviewed = false`. An operator's catalogue changes the built-in one
sentence by sentence; one of a region (`de-CH`) changes that of its language.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mail_sender import toml
from mail_sender.templating import wording
from mail_sender.templating.template_files import BadFile
from mail_sender.templating.wording import Wording


def is_catalogue(name: str) -> bool:
    """Say whether a file holds sentences, by its name in the folder of templates."""
    return name.startswith("wording/") and name.endswith(".toml") and name.count("/") == 1


def language(name: str) -> str:
    """Return the language of a catalogue's file."""
    return Path(name).stem


def wordings(*sets: Mapping[str, str]) -> dict[str, Wording]:
    """Return the sentences by language, from the files of all sets; a later set goes before an earlier one.

    Raises `BadFile`.
    """
    found: dict[str, dict[str, Any]] = {}
    for files in sets:
        for name, text in files.items():
            if is_catalogue(name):
                _merge(found.setdefault(language(name), {}), _content(name, text))
    return {tag: _wording(tag, found) for tag in found}


def tables(name: str, text: str) -> dict[str, dict[str, str]]:
    """Return the tables of sentences in one catalogue. Raises `BadFile`."""
    return {table: sentences for table, sentences in _content(name, text).items() if table != "reviewed"}


@lru_cache(maxsize=256)  # the built-in ones are asked for with each override
def _content(name: str, text: str) -> Mapping[str, Any]:
    try:
        found = toml.loads(text)
    except toml.NotToml as error:
        raise BadFile(name, f"is not TOML: {error}") from None
    for table, sentences in found.items():
        if table != "reviewed" and not (
            isinstance(sentences, dict) and all(isinstance(sentence, str) for sentence in sentences.values())
        ):
            raise BadFile(name, f"{table} must be a table of sentences")
    return found


def _merge(tables: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        tables[name] = {**tables.get(name, {}), **value} if isinstance(value, dict) else value


def _wording(tag: str, found: Mapping[str, Mapping[str, Any]]) -> Wording:
    try:
        wording.locale(tag)
    except wording.BadLanguage as error:
        raise BadFile(f"wording/{tag}.toml", f"is not a language: {error}") from None
    tables: dict[str, Any] = {}
    for name in dict.fromkeys((wording.base_language(tag), tag)):  # what a region's lacks is its language's
        _merge(tables, found.get(name, {}))
    reviewed = tables.pop("reviewed", True) is True
    return Wording(tag, reviewed, tables)
