"""What to do about a refused login, where the words of the refusal say more than that the password may be wrong.

The replies are those that providers document (docs/relays.md). The first rule that fits decides.
"""

import re
from dataclasses import dataclass

from mail_sender.relay.config import RelayConfig
from mail_sender.relay.oauth.config import Flow
from mail_sender.verdict import Reply


@dataclass(frozen=True, slots=True)
class _Rule:
    """`words` are found in the reply; `with_token` says with which kind of login, None with both."""

    words: re.Pattern[str]
    with_token: bool | None
    advice: str


def _rule(words: str, with_token: bool | None, advice: str) -> _Rule:
    return _Rule(re.compile(words, re.IGNORECASE), with_token, advice)


_RULES = (
    _rule(
        r"SmtpClientAuthentication is disabled",
        None,
        "switch SMTP AUTH on for the mailbox (Exchange Online PowerShell: Set-CASMailbox -Identity MAILBOX "
        "-SmtpClientAuthenticationDisabled $false), or for the tenant",
    ),
    _rule(
        r"basic authentication is disabled|5\.7\.139|5\.7\.30\b",
        False,
        "it takes no passwords any more: set [relay.oauth] (docs/relays.md, Microsoft 365)",
    ),
    _rule(
        r"^5\.7\.3 authentication unsuccessful",
        False,
        "check mail_username and mail_password; Microsoft 365 takes passwords only where the tenant still allows "
        "them: else set [relay.oauth] (docs/relays.md, Microsoft 365)",
    ),
    _rule(r"application-specific password", False, "make an app password, or set [relay.oauth] (docs/relays.md)"),
    _rule(r"web ?login ?required|log in (via|with) your web", False, "set [relay.oauth] (docs/relays.md, Gmail)"),
    _rule(
        r"5\.5\.124|invalid (xoauth2 )?auth data",
        True,
        "check mail_username: the address of the mailbox, and not an alias or the app",
    ),
)
_OF_TOKEN = {
    Flow.CLIENT_CREDENTIALS: "the token is good, but the mailbox does not know the app: register the app in Exchange "
    "(New-ServicePrincipal, with the Object ID of Entra's Enterprise applications), give it the mailbox "
    "(Add-MailboxPermission), and write the mailbox into mail_username; it can take half an hour to count",
    Flow.REFRESH_TOKEN: "the token is good, but not for this mailbox: mail_username must be the mailbox that signed "
    "in, [relay.oauth] scope the one for SMTP, and SMTP AUTH must be switched on for it",
    Flow.SERVICE_ACCOUNT: "the token is good, but not for this mailbox: mail_username and [relay.oauth] mailbox must "
    "be the same mailbox, and scope https://mail.google.com/",
    Flow.COMMAND: "the relay does not take what [relay.oauth] command prints, which must be an access token for SMTP "
    "of the mailbox in mail_username",
}


def of(reply: Reply, config: RelayConfig) -> str | None:
    """Return what to do about a login that was refused with this reply, None if it says no more than that."""
    text = reply.whole or reply.text
    has_token = config.oauth is not None
    rule = next((one for one in _RULES if one.with_token in {None, has_token} and one.words.search(text)), None)
    if rule is not None:
        return rule.advice
    return _OF_TOKEN[config.oauth.flow] if config.oauth is not None and reply.code == 535 else None
