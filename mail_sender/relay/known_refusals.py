"""Reads the table of known refusals, `known_refusals.toml`, which says how it is read and how to add to it."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mail_sender import toml
from mail_sender.verdict import Blame

_TABLE = Path(__file__).with_suffix(".toml")
_PIECE = re.compile(r"<([a-z-]+)>")


@dataclass(frozen=True)
class Rule:
    """A known refusal: one of `words` is in its text, none of `unless`, and its enhanced status matches `status`.

    `words`, `unless` and `status` are regular expressions; an empty one is not asked.
    """

    blame: Blame
    example: str
    words: str
    unless: str
    status: str

    def fits(self, text: str, status: str) -> bool:
        """Say whether a refusal is such a one, by its text (`refusals.plain`) and its enhanced status, or ''."""
        if self.status and not re.fullmatch(self.status, status):
            return False
        return bool(self._words.search(text)) and not (self.unless and self._unless.search(text))

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return re.compile(self.words)

    @cached_property
    def _unless(self) -> re.Pattern[str]:
        return re.compile(self.unless)


@cache
def rules() -> tuple[Rule, ...]:
    """Return the table's rules in their order; it is read once, when the first refusal comes."""
    table = toml.loads(_TABLE.read_text(encoding="utf-8"))
    pieces = {name: _any_of(words, {}) for name, words in table["pieces"].items()}
    return tuple(_rule(entry, pieces) for entry in table["rules"])


def _rule(entry: Mapping[str, Any], pieces: Mapping[str, str]) -> Rule:
    words, unless = (_any_of(entry.get(key, ()), pieces) for key in ("words", "unless"))
    return Rule(Blame[entry["blame"].upper()], entry["example"], words, unless, entry.get("status", ""))


def without_accents(text: str) -> str:
    """Return a text without accents, its characters taken apart as Unicode does (NFKD)."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _any_of(words: Sequence[str], pieces: Mapping[str, str]) -> str:
    return "|".join(_PIECE.sub(lambda found: f"({pieces[found[1]]})", without_accents(word)) for word in words)
