"""Mail addresses: which are taken, in what form, and how much of one a log shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.address import BadAddress, domain, mask, parse

GOOD = {
    "ellie@example.com": "ellie@example.com", "Ellie.O'Brien+tag@Example.COM": "Ellie.O'Brien+tag@example.com",
    "idm@corp.local": "idm@corp.local", "root@localhost": "root@localhost", "x@host.internal": "x@host.internal",
    "x@mail.test": "x@mail.test", "x@münchen.example": "x@xn--mnchen-3ya.example",
    "x@straße.example": "x@xn--strae-oqa.example", "x@βόλος.example": "x@xn--nxasmm1c.example",
    "x@xn--mnchen-3ya.example": "x@xn--mnchen-3ya.example", "x" * 64 + "@example.com": "x" * 64 + "@example.com",
}  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_an_address_is_taken_in_its_envelope_form(text: str) -> None:
    """Special-use and dotless domains are valid, and a domain goes out in ASCII."""
    assert parse(text) == GOOD[text]


BAD = [
    "", "x", "@", "x@", "@x", "a@b@c", "a b@c", "<a@b>", "A <a@b>", "a@b,c@d", "a@b\n", "a\r\nb@c", "a@b c", "a@[192.0.2.1]",
    '"a b"@c', "a(comment)@b", ".a@b", "a..b@c", "a@-b", "a@b..c", "x" * 65 + "@example.com", "x@" + "y" * 64 + ".example",
    "x@" + "y." * 130 + "example", "a\x00@b", "a@b\u2028",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_anything_but_a_bare_address_is_refused_without_repeating_it(text: str) -> None:
    """Display names, comments, quoted and over-long parts, literals and control characters are no address here."""
    with pytest.raises(BadAddress) as caught:
        parse(text)
    assert len(text) < 5 or text not in str(caught.value)
    assert str(caught.value)


@given(st.one_of(st.text(), st.tuples(st.text(max_size=20), st.text(max_size=20)).map("@".join)))
def test_no_text_crashes_the_parser(text: str) -> None:
    """Any text is an address or a `BadAddress`, and an address is stable and fit for a header and an envelope."""
    try:
        found = parse(text)
    except BadAddress:
        return
    assert parse(found) == found
    assert found.isprintable()
    assert not set(found) & set(" <>\r\n")


def test_the_domain_is_what_follows_the_last_at() -> None:
    """Also of what is no address."""
    assert (domain("a@b.example"), domain("a@b@c"), domain("x")) == ("b.example", "c", "x")


MASKS = {
    "ellie@example.com": "e***@example.com", "a@b": "a***@b", "a@b@c": "a***@c", "@b": "***", "": "***",
    "no address": "***", "éllie@example.com": "é***@example.com",
}  # fmt: skip


@pytest.mark.parametrize("address", MASKS)
def test_a_mask_shows_the_first_mail_and_the_domain(address: str) -> None:
    """Enough to recognise it, too little to harvest it."""
    assert mask(address) == MASKS[address]
