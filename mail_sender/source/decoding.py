"""An answer's octets as text and JSON, whatever they are: compressed, in another charset, malformed, endless.

Nothing here costs more memory or time than the limits allow. A short answer is decoded when it is whole, a long one
as it arrives: `Unpacking` and `Texts` make text of it, which `list_answer` reads.
"""

import codecs
import json
import zlib
from collections.abc import Iterator
from typing import Any

UNREADABLE = object()
"""Stands for an answer, or an entry of a list, that is no JSON that we decode."""

ACCEPTED = "gzip, deflate"
"""The codings that `unpacked` undoes, as Accept-Encoding names them (RFC 9110, section 8.4.1)."""

STEP = 64 * 2**10
"""Octets of a long body that are decoded in one go."""

_WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}  # some servers send deflate without zlib's header
_OLD_CHARSETS = frozenset({"iso8859-1", "iso8859-15", "cp1252"})


class NotAList(ValueError):
    """The answer is not a list of entries."""


class TooLarge(ValueError):
    """The answer is larger, unpacked, than it may be."""


def unpacked(body: bytes, coding: str, most: int) -> bytes:
    """Return a body without its content coding; empty if it cannot be undone. Raises `TooLarge` beyond `most` octets.

    Two codings, one in the other, are not undone: a few kilobytes of them can hold gigabytes.
    """
    if (windows := _windows(coding)) is None:
        return body
    for window in windows:
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


class Unpacking:
    """Undoes the content coding of a long body as it arrives; `most` is how many octets it may have, unpacked.

    Raises `TooLarge` beyond that, and `NotAList` where the coding cannot be undone. The rest is as for `unpacked`.
    """

    def __init__(self, coding: str, most: int) -> None:
        self._left = most
        self._windows = _windows(coding)
        self._inflating: Any = None
        self._has_begun = False

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Yield what the next octets hold, in pieces of `STEP` at most."""
        if self._windows is None:
            for at in range(0, len(octets), STEP):
                yield self._counted(octets[at : at + STEP])
            return
        piece = b""
        while octets or len(piece) == STEP:  # else more of it may have been unpacked already
            piece, octets = self._inflated(octets)
            yield self._counted(piece)

    def close(self) -> None:
        """Take in that this was all."""
        if self._windows is not None and (self._inflating is None or not self._inflating.eof):
            raise NotAList

    def _inflated(self, octets: bytes) -> tuple[bytes, bytes]:
        """Return the next piece, and the octets that are still to be unpacked."""
        if self._inflating is None:
            self._inflating = self._first(octets)
        if self._inflating.eof:
            return b"", b""
        try:
            piece = self._inflating.decompress(octets, STEP)
        except zlib.error:
            raise NotAList from None
        return piece, self._inflating.unconsumed_tail

    def _first(self, octets: bytes) -> Any:
        for window in self._windows or ():
            try:
                zlib.decompressobj(window).decompress(octets, 1)
            except zlib.error:
                continue
            return zlib.decompressobj(window)
        raise NotAList

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge
        return piece


class Texts:
    """The text of a long body as it arrives; as `text` has it, but octets before the first strange ones are UTF-8."""

    def __init__(self, charset: str | None) -> None:
        self._charset = charset
        self._first = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, octets: bytes, *, is_last: bool = False) -> str:
        """Return the text of the next octets."""
        if self._decoder is None:
            self._first += octets
            if len(self._first) < 4 and not is_last:
                return ""
            self._encoding = json.detect_encoding(self._first)
            self._decoder, octets = codecs.getincrementaldecoder(self._encoding)(), self._first
        state = self._decoder.getstate()
        try:
            return self._decoder.decode(octets, is_last)
        except UnicodeDecodeError:
            if (claimed := _codec(self._charset)) in _OLD_CHARSETS:
                self._decoder = codecs.getincrementaldecoder(claimed)("replace")
                return self._decoder.decode(state[0] + octets, is_last)
            self._decoder = codecs.getincrementaldecoder(self._encoding)("replace")
            self._decoder.setstate(state)
            return self._decoder.decode(octets, is_last)


def _windows(coding: str) -> tuple[int, ...] | None:
    """Return the windows of zlib that may undo a coding: none where nothing does, None where there is no coding."""
    names = [name for part in coding.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if not names:
        return None
    return _WINDOWS.get(names[0], ()) if len(names) == 1 else ()


def _codec(charset: str | None) -> str:
    try:
        return codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return ""
