"""A display name becomes one harmless line, or nothing."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail_sender.mail.display_name import LONGEST, clean
from tests.unit.mail.linker import links

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
    "evil.\u200dexample": "evil. example",
    "Ellie 2.0": "Ellie 2.0",
    "Dr. Ellie, Ph. D. (2.0)…": "Dr. Ellie, Ph. D. (2.0)…",
    "Ｅｌｌｉｅ ㈱": "Ellie (株)",
    "Ellie 123456 · .NET": "Ellie 123456 · .NET",
    "می\u200cخواهم": "می\u200cخواهم",
    "क्\u200dष": "क्\u200dष",
    "👨\u200d👩\u200d👧": "👨\u200d👩\u200d👧",
    "El\u200dlie \u200d": "El lie",
    "é" * (LONGEST - 2) + "\u200d" + "é" * 9: "é" * (LONGEST - 2) + "…",
    "x" * LONGEST: "x" * LONGEST,
    "x" * (LONGEST + 1): "x" * (LONGEST - 1) + "…",
}


UNLINKED = {
    "Anna Schmidt, B.Sc.": "Anna Schmidt, B. Sc.",
    "anna.schmidt": "anna. schmidt",
    "J.R.R. Tolkien": "J. R. R. Tolkien",
    "Click https://evil.example/": "Click https: / /evil. example/",
    "www.evil.example": "www. evil. example",
    "http:evil": "http: evil",
    "http:/\\localhost": "http: / \\localhost",
    "//localhost": "/ /localhost",
    "javascript:x": "javascript: x",
    "mailto:me": "mailto: me",
    "me@evil.example": "me @ evil. example",
    "@me": "@ me",
    "\\\\evil\\share": "\\ \\evil\\share",
    "6.6.6.6/x": "6. 6. 6. 6/x",
    "1.1.1": "1. 1. 1",
    "192.168.100.200": "192·168·100·200",
    "Call +49 (30) 1234-567": "Call +49·30·1234·567",
    "Ellie 20231234": "Ellie 2023·1234",
    "[2001:db8::1]": "[2001: db8: : 1]",
    "i❤.ws/reset": "i❤. ws/reset",
    "i❤\ufe0f.ws": "i❤\ufe0f. ws",
    "e\u0323vil\u0323.com": "ẹviḷ. com",
    "evil\u2024com": "evil. com",
    "evil\u3002com": "evil\u3002 com",
    "evil\uff61com": "evil\u3002 com",
    "ｅｖｉｌ．ｃｏｍ": "evil. com",
    "http：／／evil": "http: / /evil",
    "me＠evil": "me @ evil",
    "⒈com ㏂": "1. com a. m.",
    "उदाहरण.भारत": "उदाहरण. भारत",
    "xn--80ak6aa92e.com": "xn--80ak6aa92e. com",
    "ev\u200bil\u2060.\ufe0fcom": "ev il . com",
    "moc.live\u202e": "moc. live",
    "＝?utf-8?q?a?＝.com": ".com",
}


@pytest.mark.parametrize(("name", "shown"), {**NAMES, **UNLINKED}.items())
def test_a_name_is_cleaned(name: str, shown: str) -> None:
    """Controls, formats and encoded words go, what could become a link is broken and stays, long ones are cut."""
    assert clean(name) == clean(shown) == shown


@pytest.mark.parametrize("name", UNLINKED)
def test_the_linker_of_these_tests_finds_what_is_broken(name: str) -> None:
    """It would prove nothing otherwise."""
    assert links(name) or "\u202e" in name


LINKING = st.sampled_from([
    "http:", "https://", "mailto:", "www.", "evil", "com", ".", "..", "\u2024", "\u3002", "\uff0e", "\uff61", "\ufe52", ":", "：", "/", "／",
    "\\", "@", "＠", "❤", "xn--", "भारत", "6", "12345", "٣", "１", "-", "(", ")", "x", "ー", "…", ",", "'", " ", "\u0323", "\u200b", "\u200c", "\u200d", "\u2060",
    "\u00ad", "\u202e", "\ufe0f", "\u034f", "\u115f", "\u3164", "\U000e0061", "⒈", "㏂", "½", "=?q?q?", "?=", "x" * LONGEST,
])  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.one_of(LINKING, st.characters()), max_size=24).map("".join))
@example("a.…b")
@example("1\u30072.3")
@example("12345X67")
def test_no_mail_program_finds_a_link_in_a_name(name: str) -> None:
    """Whatever it is made of, and in whatever reading."""
    assert links(clean(name)) == []


ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")
PIECES = st.sampled_from(
    ["=?", "?=", "?", "q", "B", "?q?", "=?utf-8?q?", "=?b?q?x?=", "=0A", "\r\n", " ", "x", "\x00"]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=20).map("".join)))
@example("=?utf-8?q?=?b?q?x?=abc?=")
@example("x" * 10_000)
def test_a_clean_name_is_one_short_harmless_line(name: str) -> None:
    """Whatever comes in: one line, printable, at most so long, and no encoded word, nested ones included."""
    found = clean(name)
    assert len(found) <= LONGEST
    assert found == " ".join(found.split())
    bare = re.sub("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])", "", found)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in bare)
    assert not ENCODED_WORD.search(found)


@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=LONGEST))
def test_letters_of_any_script_stay(name: str) -> None:
    """A plain name in whatever script is only brought into one form (NFKC)."""
    known = unicodedata.normalize("NFKC", name)[:LONGEST]
    if all(map(str.isalpha, known)):
        assert clean(known) == unicodedata.normalize("NFKC", known)
