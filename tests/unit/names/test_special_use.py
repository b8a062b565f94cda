"""Which domains are of the public DNS."""

import pytest

from mail_sender.names import special_use


@pytest.mark.parametrize("host", ["acme.de", "mail.acme.co.uk", "acme.de.", "xn--mnchen-3ya.de", "acme.zz"])
def test_a_name_of_the_public_dns_is_public(host: str) -> None:
    """Whatever its top level is called."""
    assert special_use.is_public(host)


@pytest.mark.parametrize(
    "host",
    ["localhost", "corp.local", "idm.corp.local.", "x.TEST", "home.arpa", "192.0.2.1", "[192.0.2.1]", "::1", "example.com", "a.example.org"],
)  # fmt: skip
def test_names_for_use_inside_and_addresses_are_not(host: str) -> None:
    """RFC 6761 and RFC 2606, what companies use, names without a dot, and addresses."""
    assert not special_use.is_public(host)
