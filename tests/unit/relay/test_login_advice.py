"""What to do about a refused login: by the providers' documented replies, with a password and with a token."""

from dataclasses import replace

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay import login_advice
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.verdict import Reply
from tests.support.known_replies import CONFIG

UNSUCCESSFUL = "535 5.7.3 Authentication unsuccessful [AM0PR06CA0126.eurprd06.prod.outlook.com]"
DISABLED = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled"
BASIC = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [DU7P250CA0010.EURP250.PROD.OUTLOOK.COM]"
GOOGLE = "535 5.7.8 Username and Password not accepted. https://support.google.com/mail/?p=BadCredentials"


@pytest.mark.parametrize(
    ("flow", "reply", "cure"),
    [
        (Flow.CLIENT_CREDENTIALS, UNSUCCESSFUL, "New-ServicePrincipal"),
        (Flow.REFRESH_TOKEN, UNSUCCESSFUL, "the mailbox that signed in"),
        (Flow.SERVICE_ACCOUNT, GOOGLE, "[relay.oauth] mailbox"),
        (Flow.COMMAND, GOOGLE, "[relay.oauth] command prints"),
        (Flow.CLIENT_CREDENTIALS, DISABLED, "Set-CASMailbox"),
        (Flow.REFRESH_TOKEN, "501 5.5.124 Invalid XOAUTH2 auth data - User address", "check mail_username"),
        (Flow.REFRESH_TOKEN, "454 4.7.0 Temporary authentication failure", None),
        (None, DISABLED, "Set-CASMailbox"),
        (None, BASIC, "set [relay.oauth]"),
        (None, "534 5.7.9 Application-specific password required", "make an app password"),
        (None, "534 5.7.14 Please log in via your web browser", "set [relay.oauth]"),
        (None, UNSUCCESSFUL, "else set [relay.oauth]"),
        (None, GOOGLE, None),
    ],
)
def test_a_refused_login_comes_with_its_cure(flow: Flow | None, reply: str, cure: str | None) -> None:
    """Where the words say no more than that, what is said of any refused login counts."""
    code, _, text = reply.partition(" ")
    config = replace(CONFIG, oauth=OAuthConfig(flow, command=(Secret("x"),)) if flow else None)
    found = login_advice.of(Reply.of(int(code), text), config)
    assert (cure in found) if cure and found else (found is cure)
