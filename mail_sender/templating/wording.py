"""The wording: every sentence of the mails in one language, as the catalogue `wording/<language>.toml` has it.

A catalogue has a table of sentences for each kind and one, `common`, for all of them. A template writes
`say.greeting`; the kind's own sentence goes before the common one. A sentence is plain text in which `{name}`
stands for a variable; in HTML, both are escaped. `catalogues` reads the files.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeVar

from babel import Locale, UnknownLocaleError

COMMON = "common"
_WORLDWIDE = {"en": "en-GB"}  # "21 November 2026, 14:05" is read in one way everywhere, "11/21/26 2:05 PM" is not
_PLACE = re.compile(r"\{(\w+)\}")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")

Filled = TypeVar("Filled")


class BadLanguage(Exception):
    """No language has that tag; the text says what was expected."""


@dataclass(frozen=True)
class Wording:
    """The sentences of one language by table and name; `reviewed`: a native speaker has read them."""

    language: str
    reviewed: bool
    tables: Mapping[str, Mapping[str, str]] = field(repr=False)

    @cached_property
    def _split(self) -> dict[str, dict[str, list[str]]]:
        return {}

    def names(self, kind: str) -> frozenset[str]:
        """Return the names of all sentences that a kind may use."""
        return frozenset(self._sentences(kind))

    def filled(
        self, kind: str, variables: Mapping[str, object], escape: Callable[[str], Filled]
    ) -> dict[str, Filled]:
        """Return the kind's sentences by name with their variables filled in, each as `escape` makes it.

        A sentence that names an unknown variable is left out, so that a template that uses it fails.
        """
        made = {}
        for name, pieces in self._pieces(kind).items():
            if all(place in variables for place in pieces[1::2]):
                # Text and variables take turns.
                filled = (str(variables[piece]) if number % 2 else piece for number, piece in enumerate(pieces))
                made[name] = escape("".join(filled))
        return made

    def _pieces(self, kind: str) -> dict[str, list[str]]:
        if kind not in self._split:
            self._split[kind] = {name: _PLACE.split(text) for name, text in self._sentences(kind).items()}
        return self._split[kind]

    def _sentences(self, kind: str) -> dict[str, str]:
        return {**self.tables.get(COMMON, {}), **self.tables.get(kind, {})}


def places(sentence: str) -> frozenset[str]:
    """Return the variables that a sentence names."""
    return frozenset(_PLACE.findall(sentence))


def without_places(sentence: str) -> str:
    """Return a sentence without the variables that it names."""
    return _PLACE.sub("", sentence)


@lru_cache(maxsize=64)
def locale(tag: str) -> Locale:
    """Return the locale of a language tag such as `de` or `de-CH` (RFC 5646). Raises `BadLanguage`."""
    if not _TAG.fullmatch(tag):
        raise BadLanguage("expected a language tag such as de or de-CH (RFC 5646)")
    try:
        return Locale.parse(_WORLDWIDE.get(tag, tag), sep="-")
    except (ValueError, UnknownLocaleError):
        raise BadLanguage("no such language is known (CLDR)") from None


def base_language(tag: str) -> str:
    """Return the language of a tag without script and region: `de` of `de-CH`. Its catalogue serves them all."""
    return tag.partition("-")[0]
