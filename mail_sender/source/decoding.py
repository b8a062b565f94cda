"""An answer's octets as JSON, whatever they are: compressed, in another charset, malformed, endless.

Nothing here costs more memory or time than the limits allow. A list is decoded entry by entry, so that a long one
never holds Python's lock for long, and an entry that cannot be decoded (too large, too deep, a number of too many
digits) hides no other one.
"""

import codecs
import json
import re
import zlib
from collections.abc import Iterator

UNREADABLE = object()
"""Stands for an answer, or an entry of a list, that is no JSON that we decode."""

ACCEPTED = "gzip, deflate"
"""The codings that `unpacked` undoes, as Accept-Encoding names them (RFC 9110, section 8.4.1)."""

LARGEST_ENTRY = 256 * 2**10
"""Characters of an entry that are still decoded; one of Kanidm's has about 400."""
_USUAL_ENTRY = 4 * 2**10

_WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}  # some servers send deflate without zlib's header
_OLD_CHARSETS = frozenset({"iso8859-1", "iso8859-15", "cp1252"})

_decode = json.JSONDecoder().raw_decode
_visible = re.compile(r"[^ \t\n\r]").search
# Possessive, and without need of the closing quote: a string of any length takes one pass, and no memory.
_tokens = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL).finditer


class NotAList(ValueError):
    """The answer is not a list of entries."""


class TooLarge(ValueError):
    """The answer is larger, unpacked, than it may be."""


def unpacked(body: bytes, coding: str, most: int) -> bytes:
    """Return a body without its content coding; empty if it cannot be undone. Raises `TooLarge` beyond `most` octets.

    Two codings, one in the other, are not undone: a few kilobytes of them can hold gigabytes.
    """
    names = [name for part in coding.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if not names:
        return body
    for window in _WINDOWS.get(names[0], ()) if len(names) == 1 else ():
        inflating = zlib.decompressobj(window)
        try:
            found = inflating.decompress(body, most + 1)
        except zlib.error:
            continue
        if len(found) > most:
            raise TooLarge
        return found if inflating.eof else b""
    return b""


def text(body: bytes, charset: str | None) -> str:
    """Return the text of a body: in Unicode, as JSON always is, or in the old charset that the answer claims.

    A byte order mark is no part of it. Octets that are none of UTF-8 become U+FFFD, so that
    they spoil only the text in which they stand.
    """
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        claimed = _codec(charset)
        return body.decode(claimed if claimed in _OLD_CHARSETS else encoding, "replace")


def whole(found: str) -> object:
    """Return the JSON of a short answer, or `UNREADABLE`."""
    try:
        return json.loads(found)
    except (ValueError, RecursionError):
        return UNREADABLE


class ListAnswer:
    """A list answer: iterated, it gives the entries, and `UNREADABLE` for each that cannot be decoded.

    `total` is how many entries the server says that it has, whatever the page shows; 0 until it is known. Raises
    `NotAList` where the answer turns out to be none, be it behind its last entry.
    """

    def __init__(self, found: str) -> None:
        self.total = 0
        self._text = found

    def __iter__(self) -> Iterator[object]:
        at, has_entries = self._behind("{", self._skip(0)), False
        while not self._is("}", at):
            key, at = self._value(at)
            at = self._behind(":", at)
            if key == "resources" and self._is("[", at):
                has_entries = True
                at = self._behind("[", at)
                while not self._is("]", at):
                    entry, at = self._value(at)
                    yield entry
                    at = self._next(at, "]")
                at = self._behind("]", at)
            else:
                value, at = self._value(at)
                if key == "totalResults" and isinstance(value, int):
                    self.total = value
            at = self._next(at, "}")
        if not has_entries or self._behind("}", at) != len(self._text):
            raise NotAList

    # Every place below is that of a sign, not of the space before it.

    def _value(self, at: int) -> tuple[object, int]:
        """Return the value that begins there, and the place behind it. What is too large is passed over."""
        for size in (_USUAL_ENTRY, LARGEST_ENTRY):
            piece = self._text[at : at + size]
            is_rest = at + size >= len(self._text)
            try:
                value, length = _decode(piece)
            except json.JSONDecodeError:
                if is_rest:
                    raise NotAList from None
            except (ValueError, RecursionError):
                break
            else:
                if is_rest or length < len(piece):  # else a number may go on
                    return value, self._skip(at + length)
        return UNREADABLE, self._skip(self._end_of(at))

    def _end_of(self, at: int) -> int:
        depth = 0
        for token in _tokens(self._text, at):
            match token[0]:
                case "[" | "{":
                    depth += 1
                case "]" | "}" if depth == 1:
                    return token.end()
                case "]" | "}" | "," if depth == 0:
                    return token.start()
                case "]" | "}":
                    depth -= 1
        raise NotAList

    def _next(self, at: int, end: str) -> int:
        return at if self._is(end, at) else self._behind(",", at)

    def _behind(self, sign: str, at: int) -> int:
        if not self._is(sign, at):
            raise NotAList
        return self._skip(at + 1)

    def _is(self, sign: str, at: int) -> bool:
        return self._text.startswith(sign, at)

    def _skip(self, at: int) -> int:
        found = _visible(self._text, at)
        return found.start() if found else len(self._text)


def _codec(charset: str | None) -> str:
    try:
        return codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return ""
