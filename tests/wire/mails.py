"""A letter and the SMTP transport that carries it, for tests that play the relay."""

from dataclasses import replace
from datetime import UTC, datetime

from mail_sender.mail.mail import Mail
from mail_sender.names.secret import Secret
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Verdict
from tests.support.certificates import Authority

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PASSWORD = "a-password-that-no-log-may-show"
MAIL = Mail(
    "<1@example.com>",
    NOW,
    "idm@example.com",
    "a@example.com",
    b"From: idm@example.com\r\nSubject: x\r\n\r\nhello\r\n",
)


def transport(
    authority: Authority,
    port: int,
    security: Security = Security.IMPLICIT,
    seconds: float = 2.0,
    *,
    pipelining: bool = True,
) -> SmtpTransport:
    """Return a transport with a login to a relay on this port of localhost; `seconds` are its connect timeout."""
    return SmtpTransport(replace(config(authority, port, security, seconds), pipelining=pipelining), lambda _: None)


def config(
    authority: Authority, port: int, security: Security = Security.IMPLICIT, seconds: float = 2.0
) -> RelayConfig:
    """Return the configuration of the same relay."""
    return RelayConfig(
        host="localhost",
        port=port,
        security=security,
        local_name="client.example",
        username="mail-sender",
        password=Secret(PASSWORD),
        connect_timeout=seconds,
        ca_path=authority.pem,
    )


async def send(through: SmtpTransport, mail: Mail = MAIL) -> Verdict:
    """Hand a letter over."""
    return await through.send(mail, nothing)


async def nothing() -> None:
    """Do nothing before the dot."""
