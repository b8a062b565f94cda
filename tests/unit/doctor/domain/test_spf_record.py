"""The grammar of SPF records, and their macros."""

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.doctor.domain.spf_macros import Mail, expand, is_open
from mail_sender.doctor.domain.spf_record import BadSpf, parse

GOOD = [
    "v=spf1",
    "v=spf1 -all",
    "V=SPF1  a  MX ~ALL",
    "v=spf1 a/24 a//64 a:x.zz/24//64 mx:mail.x.zz/28 -all",
    "v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1 ip6:2001:db8::/32 ?all",
    "v=spf1 include:_spf.x.zz include:%{i}._ip.%{h}._ehlo.%{d}._spf.x.zz ~all",
    "v=spf1 exists:%{ir}.%{l1r+-/}.x.%{d2} -all",
    "v=spf1 redirect=_spf.x.zz exp=why.x.zz unknown=%{d}",
    "v=spf1 ptr ptr:x.zz -all",
]
BAD = [
    ("v=spf1 ip4:192.0.2.0/33 -all", "holds no IPv4 address"),
    ("v=spf1 ip4:2001:db8::1 -all", "holds no IPv4 address"),
    ("v=spf1 ip6: -all", "holds no IPv6 address"),
    ("v=spf1 a:192.0.2.1 -all", "an address needs ip4: or ip6: before it"),
    ("v=spf1 192.0.2.1 -all", "an address needs ip4: or ip6: before it"),
    ("v=spf1 mail.x.zz -all", "a host needs a: before it"),
    ("v=spf1 mx, -all", "terms are parted by spaces alone"),
    ("v=spf1 include:x.zz; -all", "holds a character that must not stand there|names no domain"),
    ("v=spf1 include -all", "names no domain"),
    ("v=spf1 include: -all", "names no domain"),
    ("v=spf1 include:x.zz/24 -all", "must not have a prefix length"),
    ("v=spf1 a/64 -all", "has a prefix that is too long"),
    ("v=spf1 -all:x.zz", "nothing may follow all"),
    ("v=spf1 redirect=a.zz redirect=b.zz", "stands there twice"),
    ("v=spf1 include=x.zz -all", "has = where : belongs"),
    ("v=spf1 exists:%{x}.x.zz -all", "holds a character that must not stand there"),
    ("v=spf1 include:münchen.zz -all", "holds a character that must not stand there"),
    ("v=spf1 a:x.123 -all", "names no domain"),
    ("v=spf1 foo -all", "is no mechanism of SPF"),
    ("v=spf1 a:museum -all", "names no domain"),
    ("v=spf1 include:%{c}.x.zz -all", "holds a character that must not stand there"),
    ("v=spf1 ip4:192.0.2.0/024 -all", "holds no IPv4 address"),
]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_record_is_read(text: str) -> None:
    """All that RFC 7208, section 12, allows, in any case, with any number of spaces."""
    parse(text)


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_a_bad_record_is_refused_with_what_is_wrong(text: str, expected: str) -> None:
    """The usual slips are named together with what was meant."""
    with pytest.raises(BadSpf, match=expected):
        parse(text)


@given(
    st.lists(
        st.sampled_from(
            ["a", "mx:", "ip4:", "include:", "/", "//", "24", "%{i}", "%", "=", ".", "-", "all", " ", "é"]
        )
    )
)
def test_no_record_breaks_the_reader(parts: list[str]) -> None:
    """Anything that stands in DNS is read or refused."""
    with contextlib.suppress(BadSpf):
        parse("v=spf1 " + "".join(parts))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("%{s}", "strong-bad@email.example.com"), ("%{o}", "email.example.com"), ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"), ("%{d2}", "example.com"), ("%{d1}", "com"), ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"), ("%{l}", "strong-bad"), ("%{l-}", "strong.bad"), ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"), ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"), ("%%%_%-", "% %20"),
        ("%{h}", "relay.example.com"), ("%{p}", "unknown"),
    ],
)  # fmt: skip
def test_macros_are_those_of_the_rfc(target: str, expected: str) -> None:
    """The examples of RFC 7208, section 7.4."""
    mail = Mail("strong-bad@email.example.com", "relay.example.com", ipaddress.ip_address("192.0.2.3"))
    assert expand(target, "email.example.com", mail) == expected


def test_a_long_expansion_is_cut_on_the_left() -> None:
    """A name has at most 253 characters (section 7.3); a target that needs the unknown address stays open."""
    mail = Mail("x" * 60 + "@acme.zz", "acme.zz", None)
    made = expand("%{l}." * 5 + "acme.zz", "acme.zz", mail)
    assert len(made) <= 253
    assert made.endswith("x.acme.zz")
    assert is_open("%{ir}.acme.zz", mail)
    assert not is_open("%{d}", mail)


def test_ipv6_is_written_in_nibbles() -> None:
    """32 digits with dots (section 7.3)."""
    mail = Mail("a@acme.zz", "acme.zz", ipaddress.ip_address("2001:db8::cb01"))
    assert expand("%{ir}.%{v}", "acme.zz", mail) == "1.0.b.c." + "0." * 20 + "8.b.d.0.1.0.0.2.ip6"
