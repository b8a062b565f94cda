"""How a resolver's place is written."""

import pytest

from mail_sender.doctor.nameserver import BadNameserver, Nameserver, parse


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("192.0.2.53", Nameserver("192.0.2.53"), "192.0.2.53"),
        ("127.0.0.1:5353", Nameserver("127.0.0.1", 5353), "127.0.0.1:5353"),
        ("2001:db8::53", Nameserver("2001:db8::53"), "2001:db8::53"),
        ("[2001:db8::53]", Nameserver("2001:db8::53"), "2001:db8::53"),
        (" [2001:db8::53]:5353 ", Nameserver("2001:db8::53", 5353), "[2001:db8::53]:5353"),
    ],
)
def test_a_place_is_an_address_with_or_without_a_port(text: str, expected: Nameserver, shown: str) -> None:
    """Both families, in every spelling that people use."""
    assert (parse(text), str(parse(text))) == (expected, shown)


@pytest.mark.parametrize(
    "text", ["", "dns.example.com", "192.0.2.53:", "192.0.2.53:0", "1.2.3.4:65536", "[::1", "::1:x"]
)
def test_anything_else_is_refused(text: str) -> None:
    """A name would have to be looked up first."""
    with pytest.raises(BadNameserver):
        parse(text)
