"""Octets become JSON within bounds, or are said to be none; one strange entry of a list hides no other."""

import gzip
import json
import time
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.source import decoding
from mail_sender.source.decoding import LARGEST_ENTRY, UNREADABLE, ListAnswer, NotAList, TooLarge

START = '{"schemas": [], "totalResults": 3, "resources": ['


def entries(found: str) -> list[object]:
    """Return the entries of a list answer."""
    return list(ListAnswer(found))


# Lists

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=10)),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=5), st.dictionaries(st.text(max_size=3), JSON, max_size=3), st.sampled_from([None, 2]))
def test_a_list_is_what_it_is_to_every_other_reader_of_json(
    resources: list[object], rest: dict[str, object], indent: int | None
) -> None:
    """Whatever its entries are, what stands beside them, and however it is laid out."""
    answer = {**rest, "totalResults": len(resources), "resources": resources}
    found = ListAnswer(json.dumps(answer, indent=indent))
    assert list(found) == resources
    assert found.total == len(resources)


@pytest.mark.parametrize(
    "answer",
    ["", " ", "null", "[]", '"x"', "{", "{}", "5", "[" * 100_000, '{"resources"}', '{"resources": null}',
     '{"resources": {}}', '{"Resources": []}', "{'resources': []}", '{"resources": [}', '{"resources": [1 2]}',
     '{"resources": []', '{"resources": []} x', '{"resources": [' + "[" * 100_000, '{"resources": [nul]}',
     START + '"' + '\\"' * 300_000, START + "9" * 300_000, "<html></html>"],
    ids=lambda answer: answer[:30] or "nothing",
)  # fmt: skip
def test_what_is_no_list_is_said_to_be_none(answer: str) -> None:
    """A list has `resources`, in lower case, and an end."""
    with pytest.raises(NotAList):
        entries(answer)


@given(st.integers(0, 200))
def test_half_a_list_is_no_list(cut: int) -> None:
    """Wherever it is cut."""
    whole = START + ", ".join(json.dumps({"id": str(number)}) for number in range(20)) + "]}"
    with pytest.raises(NotAList):
        entries(whole[:cut])


STRANGE = {
    "too many digits": "9" * 5_000,
    "digits without end": "9" * (LARGEST_ENTRY + 1),
    "too deep": "[" * 100_000 + "]" * 100_000,
    "a deep object": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "too long": '{"a": "' + "x" * LARGEST_ENTRY + '"}',
    "a text with brackets": '"' + ']}[{,\\"' * LARGEST_ENTRY + '"',
    "too many members": '{"a": [' + "[]," * (LARGEST_ENTRY // 3) + "[]]}",
}


@pytest.mark.parametrize("name", STRANGE)
def test_an_entry_that_cannot_be_decoded_hides_no_other(name: str) -> None:
    """Numbers, depth and length have bounds; the next entry is read."""
    found = ListAnswer(f'{START}{{"a": 1}}, {STRANGE[name]}, {{"b": 2}}], "c": {STRANGE[name]}}}')
    assert list(found) == [{"a": 1}, UNREADABLE, {"b": 2}]
    assert found.total == 3


def test_an_entry_is_decoded_up_to_its_limit() -> None:
    """A long one takes a second look; it is whole."""
    for length in (4_000, 4_085, 4_086, 4_096, 4_097, 100_000):
        assert entries(f'{START}"{"x" * length}",5]}}') == ["x" * length, 5]


@pytest.mark.parametrize(
    "hostile", [START + '"' + '\\"' * 2_000_000, START + "[" * 1_000_000, START + "{}," * 200_000]
)
def test_a_hostile_list_takes_time_by_its_length_alone(hostile: str) -> None:
    """Not by its square."""
    began = time.process_time()
    with pytest.raises(NotAList):
        entries(hostile)
    assert time.process_time() - began < 2.0


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


@pytest.mark.parametrize("coding", PACKED)
def test_a_coding_is_undone(coding: str) -> None:
    """In whatever case, deflate with zlib's header or without."""
    assert decoding.unpacked(PACKED[coding], coding, 10_000) == BODY


def test_a_bomb_is_unpacked_no_further_than_allowed() -> None:
    """And two codings, one in the other, not at all: a few kilobytes of them can hold gigabytes."""
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(TooLarge):
        decoding.unpacked(bomb, "gzip", 1_000)
    assert decoding.unpacked(gzip.compress(bomb), "gzip, gzip", 1_000) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress", "x", "gzip;q=1"])
def test_what_is_not_in_the_coding_that_it_claims_is_nothing(coding: str) -> None:
    """Neither is half of it, nor what was never asked for."""
    for body in (BODY, b"", gzip.compress(BODY)[:-9], b"\x00" * 100):
        assert decoding.unpacked(body, coding, 10_000) == b""


# Charsets

NAME = "Müller 山田"


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


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "utf-16", "latin-1", "cp037", "idna", "hex", ""]))
def test_no_octets_crash_the_reader(body: bytes, charset: str | None) -> None:
    """They are some text, and JSON or not."""
    found = decoding.text(body, charset)
    decoding.whole(found)
    with suppress(NotAList):
        entries(found)


@pytest.mark.parametrize("found", ["", "nul", "9" * 5_000, "[" * 100_000, "<html>", "\ufeff1"])
def test_a_short_answer_that_is_no_json_is_unreadable(found: str) -> None:
    """Whatever the decoder makes of it."""
    assert decoding.whole(found) is UNREADABLE
