"""The name of a relay among senders: the same for the same login, another one for any other, and nothing to read."""

from dataclasses import replace

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay import digest
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.relay.relay_url import Security

TOKEN = Secret("header.payload.signature-of-a-token")
RELAY = RelayConfig(
    "relay.example.com", 465, Security.IMPLICIT, "client.example", "us", Secret("pass\N{SNOWMAN}\udcff")
)
OAUTH = OAuthConfig(Flow.COMMAND, command=(Secret("print-token"), Secret("a")))
OTHERS = [
    replace(RELAY, host="relay.example.net"),
    replace(RELAY, port=587),
    replace(RELAY, username="them"),
    replace(RELAY, username=None, password=None),
    replace(RELAY, password=Secret("corrected")),
    replace(RELAY, password=None, oauth=OAUTH),
    replace(RELAY, password=None, oauth=replace(OAUTH, command=(Secret("print-token"), Secret("b")))),
    replace(RELAY, password=None, oauth=OAuthConfig(Flow.REFRESH_TOKEN, refresh_token=Secret("one"))),
    replace(RELAY, password=None, oauth=OAuthConfig(Flow.REFRESH_TOKEN, refresh_token=Secret("other"))),
]


def test_what_makes_another_login_makes_another_name() -> None:
    """A corrected password, too; what is no part of the login does not."""
    names = [digest.of(relay, TOKEN) for relay in (RELAY, *OTHERS)]
    assert len(set(names)) == len(names)
    same = replace(RELAY, host="Relay.Example.COM", connections=9, local_name="other.example")
    assert digest.of(same, TOKEN) == names[0]


@pytest.mark.parametrize("relay", [RELAY, *OTHERS])
def test_nobody_without_the_token_can_try_passwords_against_it(relay: RelayConfig) -> None:
    """It is another one under another token, and no part of it can be read."""
    name = digest.of(relay, TOKEN)
    assert name != digest.of(relay, Secret("another"))
    assert len(name) == 64
    assert set(name) <= set("0123456789abcdef")
