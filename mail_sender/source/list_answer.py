"""A list answer as it arrives, entry by entry.

A list of any length takes little memory, and an entry that cannot be decoded (too large, too deep, a number of too
many digits) hides no other one. The reading stops wherever the text ends, and goes on when more of it has come: that
is what its generators yield for.

An entry whose very text is known is passed over without being decoded, which takes a tenth of the time. Where it ends
is guessed: before the next text that begins as it does. A wrong guess is a text that nobody knows.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from mail_sender.source.decoding import UNREADABLE, NotAList

LARGEST_ENTRY = 256 * 2**10
"""Characters of an entry that are still decoded; one of Kanidm's has about 400."""

LONGEST_KNOWN = 4_096
"""Characters of an entry that is looked up by its text."""

_decode = json.JSONDecoder().raw_decode
_visible = re.compile(r"[^ \t\n\r]").search
# Possessive, and without need of the closing quote: a string of any length takes one pass, and no memory.
_tokens = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(")?|[\[\]{},]', re.DOTALL).finditer
_rest_of_text = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+(")?', re.DOTALL).match

_BEGINNING = len('{"schemas":')
_BEHIND = frozenset(",]}: \t\n\r")
_MORE = object()
_Result = TypeVar("_Result")
_Reading = Generator[object, None, _Result]


class ListAnswer:
    """A list answer as it arrives: each `feed` gives the entries that have come, `UNREADABLE` for one that cannot be.

    `total` is how many entries the server says that it has, whatever the page shows; 0 until it is known. `feed` and
    `close` raise `NotAList` where the answer turns out to be none, be it behind its last entry. `entry` is the text
    of the last one that was given. What `is_known` by its text is passed over.
    """

    def __init__(self, is_known: Callable[[str], bool] | None = None) -> None:
        self.total = 0
        self.entry = ""
        self._is_known = is_known
        self._text = ""
        self._at = 0  # what is before it was read
        self._is_whole = False
        self._reading = self._read()

    def feed(self, text: str) -> Iterator[object]:
        """Go on with the next piece of the text; it is read as far as the entries are taken."""
        self._text, self._at = self._text[self._at :] + text, 0
        for found in self._reading:
            if found is _MORE:
                return
            yield found
        if _visible(self._text, self._at):
            raise NotAList

    def close(self) -> None:
        """Take in that this was all."""
        self._is_whole = True
        for _ in self.feed(""):
            raise NotAList

    # What follows yields entries, and `_MORE` where more of the text is needed. Every place is that of a sign.

    def _read(self) -> _Reading[None]:
        has_entries = False
        yield from self._pass("{")
        while not (yield from self._is("}")):
            key = yield from self._value()
            yield from self._pass(":")
            if key == "resources" and (yield from self._is("[")):
                has_entries = True
                while not (yield from self._is("]")):
                    yield (yield from self._value(is_entry=True))
                    if (yield from self._sign()) != "]":
                        yield from self._pass(",")
            else:
                value = yield from self._value()
                if key == "totalResults" and isinstance(value, int):
                    self.total = value
            if (yield from self._sign()) != "}":
                yield from self._pass(",")
        if not has_entries:
            raise NotAList

    def _value(self, *, is_entry: bool = False) -> _Reading[object]:
        """Return the value that comes next. What is too large, or a known entry, is passed over."""
        yield from self._sign()
        while True:
            if is_entry and self._is_known:
                self._pass_known(self._is_known)
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError:
                pass
            except (ValueError, RecursionError):
                break
            else:
                if end - self._at > LARGEST_ENTRY:
                    value = UNREADABLE
                if self._is_whole or self._text[end : end + 1] in _BEHIND:  # else a number may go on
                    self.entry, self._at = self._text[self._at : end], end
                    return value
            if len(self._text) - self._at > LARGEST_ENTRY:
                break
            yield from self._more()
        yield from self._pass_over()
        self.entry = ""
        return UNREADABLE

    def _pass_known(self, is_known: Callable[[str], bool]) -> None:
        """Go to the next entry that is not known; the last one of what has come is not looked up."""
        text, at = self._text, self._at
        seam = "}," + text[at : at + _BEGINNING]
        while (end := text.find(seam, at, at + LONGEST_KNOWN)) >= 0 and is_known(text[at : end + 1]):
            self._at = at = end + 2

    def _pass_over(self) -> _Reading[None]:
        """Go to the end of a value, whatever it is."""
        depth, in_text = 0, False
        while True:
            if in_text and (rest := _rest_of_text(self._text, self._at)) is not None:
                self._at, in_text = rest.end(), rest[1] is None
            for token in () if in_text else _tokens(self._text, self._at):
                match token[0][0]:
                    case "]" | "}" | "," if depth == 0:
                        self._at = token.start()
                        return
                    case "]" | "}":
                        depth -= 1
                    case "[" | "{":
                        depth += 1
                    case '"':
                        in_text = token[1] is None
                self._at = token.end()
                if depth == 0 and token[0] in "]}":
                    return
                if in_text:
                    break
            else:
                self._at = self._at if in_text else len(self._text)
            yield from self._more()

    def _pass(self, sign: str) -> _Reading[None]:
        if not (yield from self._is(sign)):
            raise NotAList

    def _is(self, sign: str) -> _Reading[bool]:
        """Say whether this sign comes next, and go behind it."""
        is_next = (yield from self._sign()) == sign
        self._at += is_next
        return is_next

    def _sign(self) -> _Reading[str]:
        """Go to the next sign, and return it."""
        while (found := _visible(self._text, self._at)) is None:
            self._at = len(self._text)
            yield from self._more()
        self._at = found.start()
        return found[0]

    def _more(self) -> _Reading[None]:
        if self._is_whole:
            raise NotAList
        yield _MORE
