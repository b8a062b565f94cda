"""The installed sender through a real Postfix: what people run has no aiosmtpd in it."""

from email import message_from_bytes
from email.policy import default

import pytest

from tests.support import configs
from tests.support.postfix import Postfix, through
from tests.support.sender import Sender, run
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postfix", "sasl2-bin", "libsasl2-modules", root=True)


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_queued_messages_arrive_through_postfix_once_and_are_marked(
    postfix: Postfix, stub: Stub, scheme: str
) -> None:
    """TLS both ways, a login, and Postfix's queue id in the log, by which its own log can be searched."""
    through(postfix, stub, scheme)
    stub.send_test("ellie")
    stub.send_reset("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked", 2)
        sent = sender.events("sent")
        assert sender.stop() == 0
    mails = [message_from_bytes(mail, policy=default) for mail in postfix.delivered(at_least=2)]
    assert sorted(str(mail["subject"]) for mail in mails) == [
        "Example Identity: Credential Reset Link",
        "Example Identity: Test Message",
    ]
    assert all("with ESMTPSA" in str(mail["received"]) for mail in mails)
    log = postfix.log()
    for line in sent:
        (queue_id,) = (word.removeprefix("queue_id=") for word in line.split() if word.startswith("queue_id="))
        assert f"{queue_id}: client=" in log


def test_a_recipient_that_postfix_does_not_know_is_final_and_the_other_gets_the_mail(
    postfix: Postfix, stub: Stub
) -> None:
    """Postfix's own 550 5.1.1, and the same connection goes on: RCPT and DATA came together, and it refused both."""
    through(postfix, stub, "smtps")
    stub.queue(
        [
            {
                "message_template": {"TestMessageV1": {"display_name": "x"}},
                "mail_destination": [
                    {"primary": True, "value": "nobody-here@example.com"},
                    {"primary": False, "value": "ellie@example.com"},
                ],
            }
        ]
    )
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
        (failed,) = sender.events("failed")
        assert sender.stop() == 0
    assert "stage=rcpt" in failed
    assert "550 5.1.1" in failed
    assert len(postfix.delivered(at_least=1)) == 1
    assert "mail=2 rcpt=1/2 data=1/2 rset=1 quit=1" in postfix.log()


def test_a_wrong_password_at_postfix_is_exit_1_with_its_535(postfix: Postfix, stub: Stub) -> None:
    """The login is the configuration's matter, and `-t` says so."""
    through(postfix, stub, "smtp")
    configs.change(stub.sender_config, mail_password="wrong")
    done = run("-c", stub.client_config, "-m", stub.sender_config, "-t", "ellie@example.com")
    assert done.returncode == 1
    assert "Not sent: auth: the relay answers 535 5.7.8" in done.stdout


def test_an_address_beyond_ascii_arrives_through_postfix(postfix: Postfix, stub: Stub) -> None:
    """Postfix offers SMTPUTF8; the address stands in the mail and in Postfix's log as the server has it."""
    through(postfix, stub, "smtps")
    stub.queue(
        [
            {
                "message_template": {"TestMessageV1": {"display_name": "Jürgen"}},
                "mail_destination": [{"primary": True, "value": "jürgen@example.com"}],
            }
        ]
    )
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
        assert sender.stop() == 0
    (mail,) = postfix.delivered(at_least=1)
    assert "\r\nTo: jürgen@example.com\r\n".encode() in mail
    assert b"with UTF8SMTPSA" in mail


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_doctor_goes_as_far_as_mail_from_and_leaves_nothing_behind(postfix: Postfix, stub: Stub, scheme: str) -> None:
    """Postfix has nothing in its queue, and its log ends the connection in good order."""
    through(postfix, stub, scheme)
    done = run("-c", stub.client_config, "-m", stub.sender_config, "doctor", "--only", "relay")
    assert done.returncode == 0, done.stdout
    assert "it takes the login" in done.stdout
    assert "it takes mail from idm@example.com" in done.stdout
    assert postfix.delivered() == []
    log = postfix.log()
    assert "auth=1 mail=1 rset=1 quit=1" in log
    assert "rcpt=" not in log
    assert "lost connection" not in log
