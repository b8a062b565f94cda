"""A TOML table that a person wrote, read key by key. Each fault is a sentence that names table and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from server_stub.errors import StubError

YEAR = 366 * 86_400  # seconds


@dataclass(frozen=True)
class Table:
    """The values of one table; `name` is what errors call it. Its readers return None for a key that is not there."""

    name: str
    values: Mapping[str, object]

    @classmethod
    def read(cls, name: str, content: object, keys: Sequence[str]) -> Self:
        """Take a table that may have these keys and no others. Raises StubError, naming the nearest right key."""
        if not isinstance(content, dict):
            raise StubError(f"{name} must be a table.")
        for key in content:
            if key not in keys:
                raise StubError(f"{name} has no key `{key}`: {nearest(key, keys)}.")
        return cls(name, content)

    def flag(self, key: str) -> bool:
        """Return a boolean, False if it is not there."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "it must be true or false")
        return value

    def text(self, key: str) -> str | None:
        """Return a text of one line in ASCII, which is all that can stand in a reply or an address pattern here."""
        value = self.values.get(key)
        if value is None or (isinstance(value, str) and value and value.isascii() and value.isprintable()):
            return value
        raise self.wrong(key, "it must be a text of one line in ASCII")

    def choice(self, key: str, words: Sequence[str]) -> str | None:
        """Return one of the words."""
        value = self.values.get(key)
        if value is None or (isinstance(value, str) and value in words):
            return value
        raise self.wrong(key, nearest(str(value), words))

    def whole(self, key: str, least: int = 1, most: int = 2**31) -> int | None:
        """Return a whole number in these limits."""
        value = self.values.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
            return value
        raise self.wrong(key, f"it must be a whole number from {least}" + (f" to {most}" if most < 2**31 else " on"))

    def seconds(self, key: str) -> float | None:
        """Return a number of seconds above 0, up to a year."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= YEAR:
            return float(value)
        raise self.wrong(key, f"it must be a number of seconds above 0, {YEAR} at most")

    def wrong(self, key: str, fault: str) -> StubError:
        """Return the error about one key."""
        return StubError(f"{self.name}: `{key} = {_shown(self.values.get(key))}` is not possible: {fault}.")


def nearest(given: str, words: Sequence[str]) -> str:
    """Return the hint for a word that is none of `words`."""
    close = difflib.get_close_matches(given, words, 1, 0.5)
    return f"the nearest is `{close[0]}`" if close else f"it may be {_either(words)}"


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
