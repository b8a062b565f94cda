"""Holes: what stands in a template's output for a value that differs from mail to mail.

A template is rendered once with holes in place of such values. Where they come out, the values of each mail are put
later (`mail.plan`). A hole writes a mark with its number, the filters that were applied to it, and one of each
character that HTML writes in another way: how these come out shows how a value must be written at that place.

A hole can be placed and filtered, and it is true, as only values that are not empty are replaced by one. Whatever
else a template does with it is an error, so that a template that depends on a value never seems not to.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

SPECIAL = ("&", '"', "'", "<", ">", "\xa0")
"""The characters that a page writes in another way, depending on where they stand."""
_BETWEEN = "|"


class Hole:
    """A value that is not known yet; two with the same `mark` and number are the same value."""

    __slots__ = ("_filters", "_mark", "_number")  # a template reaches no name that begins like this
    __hash__ = None  # type: ignore[assignment]  # it is not known which value it equals

    def __init__(self, mark: str, number: int, filters: tuple[str, ...] = ()) -> None:
        self._mark = mark
        self._number = number
        self._filters = filters

    def __bool__(self) -> bool:
        """Say that the value is not empty."""
        return True

    def __str__(self) -> str:
        """Return what stands in a text where it was placed."""
        head = f"{self._mark}.{self._number}.{','.join(self._filters)}"
        return _BETWEEN.join((head, *SPECIAL, self._mark))

    def __html__(self) -> Markup:
        """Return what stands in a page where it was placed."""
        return escape(str(self))

    def __repr__(self) -> str:
        """Refuse: it would be shown as part of something else."""
        raise TypeError("a hole can only be placed")

    def __eq__(self, other: object) -> bool:
        """Refuse: what it equals is not known yet."""
        raise TypeError("a hole cannot be compared")


def filtered(hole: Hole, name: str) -> Hole:
    """Return the hole with one more filter."""
    return Hole(hole._mark, hole._number, (*hole._filters, name))  # noqa: SLF001 - out of the reach of templates


class Damaged(Exception):
    """What stands for a hole in an output did not come out whole."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A hole in an output: its number, its filters, and how each of `SPECIAL` is written there."""

    number: int
    filters: tuple[str, ...]
    written: tuple[str, ...]


def split(output: str, mark: str) -> Iterator[str | Placed]:
    """Yield the text before, between and after the holes of an output, and the holes. Raises `Damaged`."""
    pattern = r"{0}\.(\d+)\.([a-z,]*){1}{2}{0}".format(mark, r"\|", r"([^|]{1,8})\|" * len(SPECIAL))
    end = 0
    for found in re.finditer(pattern, output):
        yield _unmarked(output[end : found.start()], mark)
        number, filters, *written = found.groups()
        yield Placed(int(number), tuple(filter(None, filters.split(","))), tuple(written))
        end = found.end()
    yield _unmarked(output[end:], mark)


def _unmarked(text: str, mark: str) -> str:
    if mark in text:
        raise Damaged
    return text
