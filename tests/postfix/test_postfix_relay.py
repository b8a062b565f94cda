"""The test relay itself, seen by Python's own SMTP client: as strict as the relays that it stands for."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.postfix import Postfix

pytestmark = pytest.mark.debian("postfix", "sasl2-bin", "libsasl2-modules", root=True)

SENDER = "noreply@example.com"
MAIL = "Subject: to be counted\r\n\r\n.a line with a leading dot\r\n"


@contextmanager
def logged_in(relay: Postfix) -> Iterator[smtplib.SMTP]:
    context = ssl.create_default_context(cafile=relay.ca_pem)
    with smtplib.SMTP_SSL("localhost", relay.ports.smtps, context=context, timeout=10) as client:
        client.login(relay.username, relay.password)
        yield client


def test_a_mail_sent_over_implicit_tls_with_a_login_arrives_once_and_unchanged(postfix: Postfix) -> None:
    """What the relay accepted is in the mailbox, once, with its body as it was sent."""
    with logged_in(postfix) as client:
        client.sendmail(SENDER, "ellie@example.com", MAIL)
    (mail,) = postfix.delivered(at_least=1)
    assert mail.startswith(b"Received:")
    assert mail.endswith(b"\r\n\r\n.a line with a leading dot\r\n")
    accepted = [line for line in postfix.queue_id_lines() if ": client=" in line]
    assert len(accepted) == 1


def test_a_mail_sent_over_starttls_with_a_login_arrives(postfix: Postfix) -> None:
    """The second port offers the login only after STARTTLS, and takes mail then."""
    with smtplib.SMTP("localhost", postfix.ports.smtp, timeout=10) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.starttls(context=ssl.create_default_context(cafile=postfix.ca_pem))
        client.login(postfix.username, postfix.password)
        client.sendmail(SENDER, "ellie@example.com", MAIL)
    assert len(postfix.delivered(at_least=1)) == 1


def test_mail_without_tls_is_refused(postfix: Postfix) -> None:
    """Before STARTTLS the second port takes no mail at all (530)."""
    with smtplib.SMTP("localhost", postfix.ports.smtp, timeout=10) as client:
        client.ehlo()
        code, _ = client.mail(SENDER)
    assert code == 530


def test_a_wrong_password_is_refused(postfix: Postfix) -> None:
    """A login with another password is answered by 535."""
    context = ssl.create_default_context(cafile=postfix.ca_pem)
    with (
        smtplib.SMTP_SSL("localhost", postfix.ports.smtps, context=context, timeout=10) as client,
        pytest.raises(smtplib.SMTPAuthenticationError) as refusal,
    ):
        client.login(postfix.username, "not the password")
    assert refusal.value.smtp_code == 535


@pytest.mark.parametrize(
    ("recipient", "code", "enhanced"),
    [("nobody@example.com", 550, b"5.1.1"), ("ellie@example.org", 554, b"5.7.1")],
    ids=["an unknown person", "another domain"],
)
def test_a_recipient_that_is_not_here_is_refused(
    postfix: Postfix, recipient: str, code: int, enhanced: bytes
) -> None:
    """Unknown people and every domain but its own are refused at RCPT: nothing leaves the machine."""
    with logged_in(postfix) as client:
        client.mail(SENDER)
        answer = client.rcpt(recipient)
    assert answer[0] == code
    assert answer[1].startswith(enhanced)


def test_mail_without_a_login_is_refused(postfix: Postfix) -> None:
    """TLS alone opens nothing: without a login no recipient is accepted."""
    context = ssl.create_default_context(cafile=postfix.ca_pem)
    with smtplib.SMTP_SSL("localhost", postfix.ports.smtps, context=context, timeout=10) as client:
        client.mail(SENDER)
        code, _ = client.rcpt("ellie@example.com")
    assert code == 554


def test_it_keeps_its_ports_and_its_mail_when_stopped_and_started(postfix: Postfix) -> None:
    """A stopped relay refuses connections; started again it answers where it did, and has lost nothing."""
    with logged_in(postfix) as client:
        client.sendmail(SENDER, "ellie@example.com", MAIL)
    postfix.stop()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP_SSL("localhost", postfix.ports.smtps, timeout=10)
    postfix.start()
    with logged_in(postfix) as client:
        client.sendmail(SENDER, "ellie@example.com", MAIL)
    assert len(postfix.delivered(at_least=2)) == 2
