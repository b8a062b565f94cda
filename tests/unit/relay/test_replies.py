"""The table of replies: each reply at each stage is this mail's fault, the relay's, or leaves the outcome open."""

import pytest
from aiosmtplib.errors import SMTPResponseException

from mail_sender.relay.channel import Rejected
from mail_sender.verdict import Deferred, Refused, RelayDown, Reply, Stage, Uncertain
from tests.support.known_replies import on

BEFORE_THE_MAIL = (Stage.BANNER, Stage.EHLO, Stage.AUTH)
OF_THE_MAIL = (Stage.RCPT, Stage.DATA, Stage.DOT)
NO_REPLIES = (
    *(Rejected(Reply(code, "odd")) for code in (1, 2, 199, 354, 600, 999)),
    SMTPResponseException(-1, "Malformed SMTP response line"),
    ConnectionResetError(),
    TimeoutError(),
)


@pytest.mark.parametrize("stage", BEFORE_THE_MAIL)
@pytest.mark.parametrize(
    "answer", ["421 4.3.2 bye", "450 4.2.0 later", "500 5.5.1 what", "550 5.7.1 no", *NO_REPLIES], ids=repr
)
def test_what_goes_wrong_before_the_mail_is_the_relays_fault(stage: Stage, answer: str | Exception) -> None:
    """No message pays for it; a 5xx lasts until a person mends it."""
    verdict = on(stage, answer)
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is stage
    assert verdict.lasting == (isinstance(answer, str) and answer.startswith("5"))


def test_a_handshake_after_starttls_that_is_cut_may_be_about_old_tls() -> None:
    """A relay that speaks TLS 1.1 alone may close without a word."""
    verdict = on(Stage.STARTTLS, ConnectionResetError())
    assert isinstance(verdict, RelayDown)
    assert "broke at STARTTLS" in verdict.detail
    assert "TLS 1.1" in verdict.advice


@pytest.mark.parametrize("stage", [Stage.MAIL, *OF_THE_MAIL])
@pytest.mark.parametrize("reply", ["450 4.2.0 later", "451 4.3.0 later", "452 4.2.2 full", "454 4.7.0 later"])
def test_a_4xx_to_the_mail_defers_it(stage: Stage, reply: str) -> None:
    """The reply is kept, and nothing has arrived."""
    verdict = on(stage, reply)
    assert isinstance(verdict, Deferred)
    assert (verdict.stage, str(verdict.reply)) == (stage, reply)


@pytest.mark.parametrize("stage", OF_THE_MAIL)
@pytest.mark.parametrize("reply", ["550 5.1.1 no", "552 5.3.4 big", "553 5.1.3 no", "554 5.6.0 no", "555 5.5.4 no"])
def test_a_5xx_to_recipient_or_content_refuses_this_mail_alone(stage: Stage, reply: str) -> None:
    """It is not tried again; others are."""
    verdict = on(stage, reply)
    assert isinstance(verdict, Refused)
    assert (verdict.stage, str(verdict.reply)) == (stage, reply)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_421_before_the_dot_is_the_relays_own_fault(stage: Stage) -> None:
    """It closes; this mail is not to blame."""
    verdict = on(stage, "421 4.3.2 shutting down")
    assert isinstance(verdict, RelayDown)
    assert not verdict.lasting


def test_a_421_to_the_dot_defers_this_mail() -> None:
    """It is a reply: the relay has not taken the mail (RFC 5321, section 4.2.5)."""
    assert isinstance(on(Stage.DOT, "421 4.3.2 shutting down"), Deferred)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT])
@pytest.mark.parametrize("answer", NO_REPLIES, ids=repr)
def test_what_is_no_reply_before_the_dot_is_the_relays_fault(stage: Stage, answer: Exception) -> None:
    """A mail was certainly not handed over."""
    assert isinstance(on(stage, answer), RelayDown)


@pytest.mark.parametrize("answer", NO_REPLIES, ids=repr)
def test_what_is_no_reply_to_the_dot_leaves_the_outcome_open(answer: Exception) -> None:
    """3xx, 1xx, 6xx, noise and silence: it may have arrived."""
    assert isinstance(on(Stage.DOT, answer), Uncertain)


@pytest.mark.parametrize("code", [530, 534, 535, 538])
def test_a_wish_for_a_login_is_the_relays_fault(code: int) -> None:
    """Whenever it is uttered before the dot."""
    verdict = on(Stage.RCPT, f"{code} 5.7.0 log in")
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.RCPT


def test_a_2xx_to_data_is_the_relays_fault() -> None:
    """Without a 3xx the relay would take the mail for commands."""
    assert isinstance(on(Stage.DATA, "250 2.0.0 ok"), RelayDown)


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (
            "554 Your access has been rejected due to the sending MTA's poor reputation",
            "the reputation of this machine",
        ),
        ("550 5.7.0 From address is not one of your addresses", "this login may not send as mail_from_address"),
        ("553 5.7.1 not yours", "this login may not send as mail_from_address"),
    ],
)
def test_a_policy_against_us_at_mail_is_not_called_a_matter_of_the_login(reply: str, advice: str) -> None:
    """Whoever reads the advice would look for a fault in a configuration that is right."""
    verdict = on(Stage.MAIL, reply)
    assert isinstance(verdict, RelayDown)
    assert advice in verdict.advice
    assert verdict.lasting
