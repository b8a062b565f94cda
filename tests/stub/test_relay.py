"""The relay takes mail over TLS from who has logged in, keeps it byte for byte, and refuses whom a file names."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.stub import Stub

MAIL = b"From: idm@example.com\r\nTo: ellie@example.com\r\nSubject: Hello\r\n\r\n.dot\r\ncaf\xc3\xa9\r\n"
SENDER, ELLIE, BOB = "idm@example.com", "ellie@example.com", "bob@example.com"


def password(stub: Stub) -> str:
    line = next(line for line in stub.sender_config.read_text().splitlines() if line.startswith("mail_password"))
    return line.split('"')[1]


@contextmanager
def connected(stub: Stub, listener: str, trust: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    """Give a connection inside TLS, before the login."""
    port = stub.ports[listener]
    if listener == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL("localhost", port, "client.example", context=trust, timeout=10)
    else:
        client = smtplib.SMTP("localhost", port, "client.example", timeout=10)
        client.starttls(context=trust)
    with client:
        yield client


@pytest.mark.parametrize("listener", ["smtps", "smtp"])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_a_mail_is_kept_as_it_was_sent(stub: Stub, trust: ssl.SSLContext, listener: str, mechanism: str) -> None:
    """Over implicit TLS and STARTTLS, with PLAIN and LOGIN: the bytes, and beside them what only the wire knew."""
    with connected(stub, listener, trust) as client:
        client.user, client.password = "mail-sender", password(stub)
        client.ehlo()
        client.auth(mechanism.upper(), getattr(client, f"auth_{mechanism}"))
        client.sendmail(SENDER, [ELLIE, BOB], MAIL)
    (path,) = (stub.dir / "mail").glob("*.eml")
    assert path.read_bytes() == MAIL
    (envelope,) = stub.envelopes()
    assert envelope.pop("received_at").endswith("Z")
    assert envelope.pop("tls_version") in {"TLSv1.2", "TLSv1.3"}
    assert envelope == {
        "mail_from": SENDER,
        "rcpt_to": [ELLIE, BOB],
        "listener": listener,
        "login": "mail-sender",
        "ehlo": "client.example",
        "client_certificate": "",
    }


@pytest.mark.parametrize("listener", ["smtps", "smtp"])
def test_commands_that_come_together_are_answered_in_their_order(
    stub: Stub, trust: ssl.SSLContext, listener: str
) -> None:
    """It offers PIPELINING (RFC 2920), and keeps the mail that follows."""
    with connected(stub, listener, trust) as client:
        client.login("mail-sender", password(stub))
        assert client.has_extn("pipelining")
        client.send(f"RSET\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{ELLIE}>\r\nDATA\r\n")
        assert [client.getreply()[0] for _ in range(4)] == [250, 250, 250, 354]
        client.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        assert client.getreply()[0] == 250
    (mail,) = stub.mails()
    assert mail["Subject"] == "x"


@pytest.mark.parametrize("listener", ["smtps", "smtp"])
@pytest.mark.parametrize(("user", "right"), [("mail-sender", False), ("somebody", True), ("", False)])
def test_a_wrong_login_is_refused(stub: Stub, trust: ssl.SSLContext, listener: str, user: str, right: bool) -> None:
    """535 for a wrong password and for a wrong user, and nothing is taken afterwards."""
    with connected(stub, listener, trust) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(user, password(stub) if right else "wrong")
        assert refused.value.smtp_code == 535
        assert client.mail(SENDER)[0] == 530
    assert stub.mails() == []


@pytest.mark.parametrize("listener", ["smtps", "smtp"])
def test_nothing_is_taken_without_a_login(stub: Stub, trust: ssl.SSLContext, listener: str) -> None:
    """MAIL is 530 until somebody has logged in."""
    with connected(stub, listener, trust) as client:
        client.ehlo()
        assert client.mail(SENDER)[0] == 530


def test_no_login_is_offered_or_taken_in_clear(stub: Stub) -> None:
    """Before STARTTLS there is no AUTH, and neither AUTH nor MAIL is obeyed."""
    with smtplib.SMTP("localhost", stub.ports["smtp"], timeout=10) as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert "starttls" in client.esmtp_features
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 530
        assert client.mail(SENDER)[0] == 530


def test_the_file_of_refusals_is_read_for_each_recipient(stub: Stub, trust: ssl.SSLContext) -> None:
    """A named recipient is refused with the reply of the file, in upper or lower case; the others get the mail."""
    with connected(stub, "smtps", trust) as client:
        client.login("mail-sender", password(stub))
        assert client.sendmail(SENDER, [ELLIE, BOB], MAIL) == {}
        stub.refuse(BOB, 550, "5.1.1 No such user here")
        stub.refuse("carol@example.com", 451, "4.7.1 Try later")
        refused = client.sendmail(SENDER, [ELLIE, "BOB@example.com", "carol@example.com"], MAIL)
    assert refused == {
        "BOB@example.com": (550, b"5.1.1 No such user here"),
        "carol@example.com": (451, b"4.7.1 Try later"),
    }
    assert [envelope["rcpt_to"] for envelope in stub.envelopes()] == [[ELLIE, BOB], [ELLIE]]


@pytest.mark.parametrize(
    "content",
    [
        "[[refuse",
        "refuse = 1",
        "[[refused]]\n",
        '[[refuse]]\nrecipient = "a@b"\n',
        '[[refuse]]\nrecipient = "a@b"\ncode = 250\ntext = "x"\n',
        '[[refuse]]\nrecipient = "a@b"\ncode = 550\ntext = "x\\r\\n250 y"\n',
    ],
)
def test_a_broken_file_of_refusals_refuses_for_the_time_being(
    stub: Stub, trust: ssl.SSLContext, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """451, since nobody can tell whom it meant, and a sentence on stderr that names the file."""
    (stub.dir / "refuse.toml").write_text(content)
    with connected(stub, "smtps", trust) as client:
        client.login("mail-sender", password(stub))
        client.mail(SENDER)
        assert client.rcpt(ELLIE)[0] == 451
    said = capsys.readouterr().err
    assert "refuse.toml" in said
    assert "Traceback" not in said


def test_mails_are_numbered_on_after_a_restart(stub: Stub, trust: ssl.SSLContext) -> None:
    """No mail is written over; arrival order is the order of names."""
    for _ in range(2):
        with connected(stub, "smtps", trust) as client:
            client.login("mail-sender", password(stub))
            client.sendmail(SENDER, [ELLIE], MAIL)
        stub.stop()
        stub.start()
    assert sorted(path.name for path in (stub.dir / "mail").glob("*.eml")) == ["00000001.eml", "00000002.eml"]


def test_a_foreign_trust_store_does_not_accept_the_relay(stub: Stub) -> None:
    """The certificate hangs on the stub's own CA and on nothing else."""
    with pytest.raises(ssl.SSLCertVerificationError):
        smtplib.SMTP_SSL("localhost", stub.ports["smtps"], context=ssl.create_default_context(), timeout=10)
