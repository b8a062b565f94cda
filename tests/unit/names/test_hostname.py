"""Host names become ASCII by IDNA 2008, so that nobody else's name is looked up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.names.hostname import BadHostName, to_ascii

NAMES = {
    "smtp.straße.example": "smtp.xn--strae-oqa.example", "faß.de": "xn--fa-hia.de",  # the four deviations of UTS 46
    "βόλος.example": "xn--nxasmm1c.example", "ශ්‍රී.example": "xn--10cl1a0b660p.example",
    "نامه‌ای.example": "xn--mgba3gch31f060k.example",
    "Bücher.Example": "xn--bcher-kva.example", "ΒΌΛΟΣ.example": "xn--nxasmq6b.example",
    "bu\u0308cher.example": "xn--bcher-kva.example", "例え。テスト": "xn--r8jz45g.xn--zckzah",
    "ｒｅｌａｙ.example": "relay.example", "１２７.0.0.1": "127.0.0.1", "bücher.example.": "xn--bcher-kva.example.",
    "my_relay.bücher.example": "my_relay.xn--bcher-kva.example",
    "relay.example.com": "relay.example.com", "Relay.Example.com.": "Relay.Example.com.", "mail_relay": "mail_relay",
    "xn--strae-oqa.example": "xn--strae-oqa.example", "192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1",
    "fe80::1%eth0": "fe80::1%eth0",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_goes_out_in_the_ascii_that_browsers_make_of_it(name: str) -> None:
    """Deviations of IDNA 2003, joiners, final sigma, full width; what is ASCII stays as it is."""
    assert to_ascii(name) == NAMES[name]


BAD = {
    "": "empty", ".": "empty", "a..example": "empty", "two words": "U+0020 (space)", "${HOST}": "'$'", 'relay"': "'\"'",
    "relay\u200b.example": "U+200B (zero width space)", "re\u00adlay.example": "U+00AD (soft hyphen)",
    "relay\ufe0f.example": "U+FE0F", "relay\u2060.example": "U+2060", "\u202erelay.example": "U+202E",
    "relay\u200c.example": "IDNA 2008", "relay\x00": "U+0000", "i❤.example": "IDNA 2008", "a／b.example": "'/'",
    "a\u0300".replace("a", "") + "x.example": "IDNA 2008", "x" * 64: "63 characters", "ü" * 63: "IDNA 2008",
    "x.".join("y" * 60 for _ in range(5)): "253", "x:y": "IPv6", "%41.example": "'%'",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_host_name_is_refused_by_its_character(name: str) -> None:
    """An invisible character by its code point."""
    with pytest.raises(BadHostName) as caught:
        to_ascii(name)
    assert BAD[name] in str(caught.value)


@given(st.text(min_size=1))
def test_whatever_is_taken_is_ascii_and_stays_the_same(name: str) -> None:
    """Converted twice, it is the same."""
    try:
        found = to_ascii(name)
    except BadHostName:
        return
    assert found.isascii()
    assert to_ascii(found) == found
