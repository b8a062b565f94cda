"""Octets become text and JSON within bounds, or are said to be none; a long body does so as it arrives."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.source import decoding
from mail_sender.source.decoding import STEP, UNREADABLE, NotAList, Texts, TooLarge, Unpacking

# Codings

BODY = json.dumps({"resources": ["x" * 1_000]}).encode()
_RAW = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "GZIP": gzip.compress(BODY),
    "gzip, identity": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    " deflate": _RAW.compress(BODY) + _RAW.flush(),
    "": BODY,
    "identity": BODY,
}


def unpacked_in_pieces(body: bytes, coding: str, size: int) -> bytes:
    """Return a body that arrives in pieces of this size, unpacked."""
    unpacking = Unpacking(coding, 10_000)
    found = b"".join(piece for at in range(0, len(body), size) for piece in unpacking.feed(body[at : at + size]))
    unpacking.close()
    return found


@pytest.mark.parametrize("coding", PACKED)
def test_a_coding_is_undone(coding: str) -> None:
    """In whatever case, deflate with zlib's header or without."""
    assert decoding.unpacked(PACKED[coding], coding, 10_000) == BODY
    for size in (2, 100, 10_000):
        assert unpacked_in_pieces(PACKED[coding], coding, size) == BODY


def test_a_bomb_is_unpacked_no_further_than_allowed() -> None:
    """And two codings, one in the other, not at all: a few kilobytes of them can hold gigabytes."""
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(TooLarge):
        decoding.unpacked(bomb, "gzip", 1_000)
    assert decoding.unpacked(gzip.compress(bomb), "gzip, gzip", 1_000) == b""
    with pytest.raises(TooLarge):
        unpacked_in_pieces(bomb, "gzip", 10_000)
    unpacking = Unpacking("gzip", 10**9)
    assert max(map(len, unpacking.feed(bomb))) == STEP
    unpacking.close()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress", "x", "gzip;q=1"])
def test_what_is_not_in_the_coding_that_it_claims_is_nothing(coding: str) -> None:
    """Neither is half of it, nor what was never asked for."""
    for body in (BODY, b"", gzip.compress(BODY)[:-9], b"\x00" * 100):
        assert decoding.unpacked(body, coding, 10_000) == b""
        with pytest.raises(NotAList):
            unpacked_in_pieces(body, coding, 10_000)


# Charsets

NAME = "Müller 山田"


def in_pieces(body: bytes, charset: str | None, size: int) -> str:
    """Return the text of a body that arrives in pieces of this size."""
    texts = Texts(charset)
    pieces = [texts.feed(body[at : at + size]) for at in range(0, len(body), size)]
    return "".join([*pieces, texts.feed(b"", is_last=True)])


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        (NAME.encode(), None, NAME), (NAME.encode(), "utf-8", NAME), (NAME.encode(), "iso-8859-1", NAME),
        (NAME.encode("utf-8-sig"), None, NAME), (f'"{NAME}"'.encode("utf-16"), None, f'"{NAME}"'),
        ("Müller".encode("latin-1"), "iso-8859-1", "Müller"), ("Müller".encode("latin-1"), "Windows-1252", "Müller"),
        ("Müller".encode("latin-1"), None, "M\ufffdller"), ("Müller".encode("latin-1"), "rot13", "M\ufffdller"),
        ("Müller".encode("latin-1"), "no such charset", "M\ufffdller"), ("Müller".encode("latin-1"), "a\0b", "M\ufffdller"),
    ],
)  # fmt: skip
def test_a_text_is_in_unicode_or_in_the_old_charset_that_it_claims(
    body: bytes, charset: str | None, expected: str
) -> None:
    """With a byte order mark or without; an octet that is none of UTF-8 spoils its own text alone."""
    assert decoding.text(body, charset) == expected
    for size in (1, 2, 3, 100):
        assert in_pieces(body, charset, size) == expected


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "utf-16", "latin-1", "cp037", "idna", "hex", ""]))
def test_no_octets_crash_the_reader(body: bytes, charset: str | None) -> None:
    """They are some text, and JSON or not."""
    decoding.whole(decoding.text(body, charset))
    assert isinstance(in_pieces(body, charset, 3), str)


@pytest.mark.parametrize("found", ["", "nul", "9" * 5_000, "[" * 100_000, "<html>", "\ufeff1"])
def test_a_short_answer_that_is_no_json_is_unreadable(found: str) -> None:
    """Whatever the decoder makes of it."""
    assert decoding.whole(found) is UNREADABLE
