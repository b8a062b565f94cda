"""A display name becomes one harmless line, or nothing."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mail_sender.mail.display_name import LONGEST, clean

NAMES = {
    "Ellie": "Ellie",
    "": "",
    " \t ": "",
    "  Ellie   Éclair ": "Ellie Éclair",
    "Ельця Ивановна": "Ельця Ивановна",
    "山田 太郎": "山田 太郎",
    "O'Brien-Smith, Jr.": "O'Brien-Smith, Jr.",
    "Ellie\r\nBcc: x": "Ellie Bcc: x",
    "Ellie\x00\x07\x1b[31m": "Ellie [31m",
    "a\u2028b\u2029c\x85d": "a b c d",
    "Ellie\u202egpj": "Ellie gpj",
    "Ellie \ud800": "Ellie",
    "=?utf-8?q?=0ABcc=3A_x?=": "",
    "a =?UTF-8?B?Zm9v?= b": "a b",
    "=?utf-8?q?a\nb?=": "",
    "<b>Ellie</b> & co": "<b>Ellie</b> & co",
    "{{ 7*7 }}": "{{ 7*7 }}",
    "Click https://evil.example/": "",
    "Click ftp://evil.example": "",
    "www.evil.example": "",
    "evil.example/login": "",
    "me@evil.example": "",
    "evil\u3002example": "",
    "evil.\u200dexample": "evil. example",
    "6.6.6.6/x": "",
    "Ellie 2.0": "Ellie 2.0",
    "می\u200cخواهم": "می\u200cخواهم",
    "क्\u200dष": "क्\u200dष",
    "👨\u200d👩\u200d👧": "👨\u200d👩\u200d👧",
    "El\u200dlie \u200d": "El lie",
    "é" * (LONGEST - 2) + "\u200d" + "é" * 9: "é" * (LONGEST - 2) + "…",
    "x" * LONGEST: "x" * LONGEST,
    "x" * (LONGEST + 1): "x" * (LONGEST - 1) + "…",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_cleaned(name: str) -> None:
    """Controls, formats and encoded words go, links take the whole name with them, long ones are cut."""
    assert clean(name) == clean(NAMES[name]) == NAMES[name]


ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")
PIECES = st.sampled_from(
    ["=?", "?=", "?", "q", "B", "?q?", "=?utf-8?q?", "=?b?q?x?=", "=0A", "\r\n", " ", "x", "\x00"]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=20).map("".join)))
@example("=?utf-8?q?=?b?q?x?=abc?=")
@example("x" * 10_000)
def test_a_clean_name_is_one_short_harmless_line(name: str) -> None:
    """Whatever comes in: one line, printable, at most so long, no link, and no encoded word, nested ones included."""
    found = clean(name)
    assert len(found) <= LONGEST
    assert found == " ".join(found.split())
    bare = re.sub("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])", "", found)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in bare)
    assert "://" not in found
    assert "@" not in found
    assert not ENCODED_WORD.search(found)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=LONGEST))
def test_mails_and_digits_of_any_script_stay(name: str) -> None:
    """A plain name in whatever script is not touched."""
    assert clean(name) == name
