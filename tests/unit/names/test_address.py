"""Mail addresses: which are taken, in what form, and how much of one a log shows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.names.address import LONGEST, BadAddress, domain, mask, parse, spellings

GOOD = {
    "ellie@example.com": "ellie@example.com", "Ellie.O'Brien+tag@Example.COM": "Ellie.O'Brien+tag@example.com",
    "idm@corp.local": "idm@corp.local", "root@localhost": "root@localhost", "x@host.internal": "x@host.internal",
    "x@mail.test": "x@mail.test", "x@münchen.example": "x@xn--mnchen-3ya.example",
    "x@straße.example": "x@xn--strae-oqa.example", "x@βόλος.example": "x@xn--nxasmm1c.example",
    "x@xn--mnchen-3ya.example": "x@xn--mnchen-3ya.example", "x@old_host.example": "x@old_host.example",
    "x@example.com.": "x@example.com", "x@[192.0.2.1]": "x@[192.0.2.1]", "x@[ipv6:2001:DB8::0:1]": "x@[IPv6:2001:db8::1]",
}  # fmt: skip
OLD = {
    "foo..bar.@docomo.example": '"foo..bar."@docomo.example', ".a@b": '".a"@b', "a..b@c": '"a..b"@c', "-.@b": '"-."@b', "é.@b": '"é."@b',
    **{f"{'x' * length}@example.com": f"{'x' * length}@example.com" for length in (64, 69, 256, LONGEST - len("@example.com"))},
}  # fmt: skip
QUOTED = {
    '"foo..bar."@d': '"foo..bar."@d', '"a b"@c': '"a b"@c', r'"a\"b\\"@c': r'"a\"b\\"@c', '"a@b"@c': '"a@b"@c', '"a,<b>;c"@d': '"a,<b>;c"@d',
    '"ellie"@c': "ellie@c", r'"\e\l.lie"@c': "el.lie@c", '"é b"@c': '"é b"@c',
}  # fmt: skip


@pytest.mark.parametrize(("text", "envelope"), {**GOOD, **OLD, **QUOTED}.items())
def test_an_address_is_taken_in_its_envelope_form(text: str, envelope: str) -> None:
    """A domain goes out in ASCII, a local part in quotes where today's grammar needs them, whatever its length."""
    assert parse(text) == parse(envelope) == envelope


BAD = [
    "", "x", "@", "x@", "@x", '""@x', "a@b@c", "a b@c", " a@b", "a@b ", "<a@b>", "A <a@b>", "a@b,c@d", "a@b\n", "a\r\nb@c", "a@b c", "a(comment)@b",
    "@a,@b:c@d", "@a:b@c", "a:b@c", "a;@b", "e\u0301,a@b", "a\u037eb@c", r"a\b@c", '"a b@c', 'a b"@c', '"@c', r'"a\"@c', '"a"b"@c', '"a"b@c', 'a."b"@c',
    '"a\nb"@c', '"a\\\r\nb"@c', '"a\x00"@b', "a\x00@b", "a\x7f@b", "a\u200b@b", "a\u202e@b", "\u0301a@b", "\ud800@b", "a@b\u2028", "a@b\r\nRCPT TO:<c@d>",
    "a@-b", "a@b..c", "a@b..", "a@.b", "a@b>", "a@[192.0.2.1", "a@[192.0.2.1]>", "a@[::1]", "a@[IPv6:x]", "a@[b c]", "x@" + "y" * 64 + ".example",
    "x@" + "y." * 130 + "example", "x" * (LONGEST - 1) + "@y", "é" * (LONGEST // 2) + "@y", "=?utf-8?q?x?=@y", '"=?utf-8?q?x y?="@z',
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_anything_but_a_bare_address_is_refused_without_repeating_it(text: str) -> None:
    """What means several addresses, or another one, outside quotes; what no line of SMTP or DNS can hold."""
    with pytest.raises(BadAddress) as caught:
        parse(text)
    assert len(text) < 5 or text not in str(caught.value)
    assert str(caught.value)


SPIKES = st.lists(
    st.one_of(st.sampled_from([*'.@"\\<>(),:; ', "\r\n", "a", "é", "[", "]"]), st.characters()), max_size=12
)


@given(
    st.one_of(
        st.text(),
        st.tuples(SPIKES.map("".join), st.sampled_from(["b", "[192.0.2.1]", "c d"])).map("@".join),
        SPIKES.map(lambda made: f'"{"".join(made)}"@b'),
    )
)
def test_no_text_crashes_the_parser(text: str) -> None:
    """Any text is an address or a `BadAddress`, and an address is stable and fit for a header and an envelope."""
    try:
        found = parse(text)
    except BadAddress:
        return
    assert parse(found) == found
    assert found.isprintable()
    # One path and no more (RFC 5321, section 4.1.2): outside quotes stands nothing that ends an address.
    assert re.fullmatch(r'(?:"(?:[^"\\]|\\.)+"|[^\s"(),:;<>@\[\\\]]+)@(?:[a-z0-9_.-]+|\[[\w.:]+\])', found)


def test_the_domain_is_what_follows_the_last_at() -> None:
    """Also of what is no address."""
    assert (domain("a@b.example"), domain("a@b@c"), domain("x")) == ("b.example", "c", "x")


MASKS = {
    "ellie@example.com": "e***@example.com", "a@b": "a***@b", "a@b@c": "a***@c", "@b": "***", "": "***",
    "no address": "***", "éllie@example.com": "é***@example.com",
    '"foo..bar."@b': "f***@b", r'"\"foo"@b': "f***@b", '" a@b"@c': "a***@c", '" "@b': "***@b", "foo..@b": "f***@b", "@a,@b:c@d": "a***@d",
}  # fmt: skip


@pytest.mark.parametrize("address", MASKS)
def test_a_mask_shows_the_first_mail_and_the_domain(address: str) -> None:
    """Enough to recognise it, too little to harvest it."""
    assert mask(address) == MASKS[address]


def test_a_relay_may_write_an_address_without_its_quotes() -> None:
    """Both spellings are hidden from a log."""
    assert spellings('"foo..bar."@b') == ('"foo..bar."@b', "foo..bar.@b")
    assert spellings(r'"a\"b c"@d') == (r'"a\"b c"@d', 'a"b c@d')
    assert spellings("ellie@b") == ("ellie@b",)
