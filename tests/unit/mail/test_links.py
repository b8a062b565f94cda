"""A link leads to the identity server's page, whatever the instance's URL and the intent id hold."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.mail.links import link
from mail_sender.message import IntentId
from tests.support.samples import MAIL, reset
from tests.unit.mail.reading import bodies, rendered

LINKS = {
    "https://idm.example.com": "https://idm.example.com/ui/reset?token=T",
    "https://idm.example.com/": "https://idm.example.com/ui/reset?token=T",
    "https://idm.example.com/some/path": "https://idm.example.com/ui/reset?token=T",
    "https://idm.example.com:8443": "https://idm.example.com:8443/ui/reset?token=T",
    "https://idm.example.com?tenant=a%2Fb&x=1": "https://idm.example.com/ui/reset?tenant=a%2Fb&x=1&token=T",
    "https://idm.example.com?flag": "https://idm.example.com/ui/reset?flag&token=T",
    "https://idm.example.com?q=a%20b": "https://idm.example.com/ui/reset?q=a%20b&token=T",
    "https://idm.example.com/#fragment": "https://idm.example.com/ui/reset?token=T",
    "https://[2001:db8::1]": "https://[2001:db8::1]/ui/reset?token=T",
}


@pytest.mark.parametrize("instance_url", LINKS)
def test_a_link_is_the_instances_address_with_another_path(instance_url: str) -> None:
    """The path is replaced and the query kept as it stands, as Kanidm's sender does; a fragment goes."""
    assert link(instance_url, "/ui/reset", IntentId("T")) == LINKS[instance_url]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_token_is_encoded_into_its_link(token: str) -> None:
    """Whatever the intent id holds, it is the value of `token`, and the host stays the instance's."""
    made = urlsplit(link("https://idm.example.com?a=1", "/ui/revoke", IntentId(token)))
    assert (made.scheme, made.netloc, made.path, made.fragment) == ("https", "idm.example.com", "/ui/revoke", "")
    assert parse_qsl(made.query, keep_blank_values=True) == [("a", "1"), ("token", token)]
    assert made.query.isascii()


def test_links_come_from_the_instance_url_alone() -> None:
    """Every link of a mail leads to the instance, and to nowhere else."""
    mail = rendered(reset("Ellie"), replace(MAIL, instance_url="https://login.example.org:8443/x"))
    for body in bodies(mail):
        found = re.findall(r"https?://[^/\s\"<]+", body)
        assert set(found) == {"https://login.example.org:8443"}
