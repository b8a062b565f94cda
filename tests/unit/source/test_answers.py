"""What a server's answers mean, and what is said to mend them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.source import answers
from mail_sender.source.base import Standing

SERVER = "https://idm.example.com"
GROUPS = frozenset({"idm_message_senders", "idm_all_accounts"})


def test_a_sender_that_may_write_has_a_good_standing() -> None:
    """Groups that every sender has by nature are not excess."""
    groups = GROUPS | {"idm_high_privilege"}
    assert answers.standing("mailer", groups, may_write=True) == Standing("mailer", may_write=True)


def test_a_server_that_does_not_say_is_believed() -> None:
    """Where it is unknown whether the token may write, that is no fault yet."""
    assert answers.standing("mailer", GROUPS, may_write=None).may_write is None


def test_groups_that_a_sender_does_not_need_are_named() -> None:
    """In order, so that a warning is the same each time."""
    found = answers.standing("mailer", GROUPS | {"idm_admins", "builders"}, may_write=True)
    assert found.excess_groups == ("builders", "idm_admins")


def test_an_account_outside_the_group_gets_the_command_that_mends_it() -> None:
    """Its empty queue would look like no mail for ever."""
    with pytest.raises(ServerFault) as caught:
        answers.standing("mailer", frozenset({"idm_all_accounts"}), may_write=True)
    assert caught.value.kind is ServerFaultKind.NOT_A_SENDER
    assert caught.value.advice == "kanidm group add-members idm_message_senders mailer"


def test_a_read_only_token_gets_the_command_that_mends_it() -> None:
    """With the account's own name in it."""
    with pytest.raises(ServerFault) as caught:
        answers.standing("mailer", GROUPS, may_write=False)
    assert caught.value.kind is ServerFaultKind.TOKEN_READ_ONLY
    assert "api-token generate mailer mail-sender --readwrite" in caught.value.advice


HTML = answers.UNREADABLE
MEANINGS: list[tuple[int, object, ServerFaultKind]] = [
    (401, "notauthenticated", ServerFaultKind.TOKEN_REFUSED),
    (401, "sessionexpired", ServerFaultKind.TOKEN_REFUSED),
    (401, HTML, ServerFaultKind.TOKEN_REFUSED),
    (403, "accessdenied", ServerFaultKind.TOKEN_READ_ONLY),
    (408, None, ServerFaultKind.OVERLOADED),
    (429, HTML, ServerFaultKind.OVERLOADED),
    (502, HTML, ServerFaultKind.OVERLOADED),
    (503, "x", ServerFaultKind.OVERLOADED),
    (504, HTML, ServerFaultKind.OVERLOADED),
    (301, HTML, ServerFaultKind.NOT_KANIDM),
    (307, None, ServerFaultKind.NOT_KANIDM),
    (404, HTML, ServerFaultKind.NOT_KANIDM),
    (400, HTML, ServerFaultKind.NOT_KANIDM),
    (404, "nomatchingentries", ServerFaultKind.ERROR),
    (500, "backend", ServerFaultKind.ERROR),
    (500, {"missingattribute": "mail"}, ServerFaultKind.ERROR),
    (500, HTML, ServerFaultKind.ERROR),
    (599, HTML, ServerFaultKind.ERROR),
]


@pytest.mark.parametrize(("status", "answer", "kind"), MEANINGS)
def test_a_status_is_one_kind_of_trouble(status: int, answer: object, kind: ServerFaultKind) -> None:
    """By status and by whether it is JSON; the sentence has the status and something to do."""
    found = answers.fault(SERVER, status, answer, {})
    assert found.kind is kind
    assert found.advice
    if kind is not ServerFaultKind.TOKEN_READ_ONLY:
        assert str(status) in found.detail


def test_the_servers_own_word_is_repeated() -> None:
    """A bare word, or the key of a one-key object: what its log calls the error."""
    assert "500 backend" in answers.fault(SERVER, 500, "backend", {}).detail
    assert "500 missingattribute" in answers.fault(SERVER, 500, {"missingattribute": "mail"}, {}).detail


@pytest.mark.parametrize("answer", ["x\r\ny", "\x1b[2J", ["x"], 5, {}, {"\n": 1}])
def test_what_is_no_word_is_not_repeated(answer: object) -> None:
    """Control characters and structures stay out of the sentence."""
    assert answers.fault(SERVER, 500, answer, {}).detail == f"{SERVER} answers 500"


def test_a_long_word_is_cut() -> None:
    """An answer cannot fill the log."""
    assert len(answers.fault(SERVER, 500, "x" * 10_000, {}).detail) < 150


RETRY_AFTER = {"7": 7.0, " 7 ": 7.0, "0": 0.0, "999999": 300.0, "-5": None, "soon": None, "": None, "1.5": None}


@pytest.mark.parametrize("value", RETRY_AFTER)
def test_the_wait_that_a_server_asks_for_is_kept_within_five_minutes(value: str) -> None:
    """Whole seconds count (RFC 9110, section 10.2.3); what is neither they nor a date does not."""
    found = answers.fault(SERVER, 503, None, {"retry-after": value})
    assert found.retry_after == RETRY_AFTER[value]
    assert ("a pause" in found.advice) == (found.retry_after is not None)


def test_the_wait_may_be_a_date() -> None:
    """A date to come is counted from now, one that has passed is no wait."""
    for seconds, least, most in ((60, 50, 60), (-60, 0, 0), (86_400, 300, 300)):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        wait = answers.fault(SERVER, 429, None, {"retry-after": date}).retry_after
        assert wait is not None
        assert least <= wait <= most


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_no_retry_after_crashes_the_sender(value: str) -> None:
    """Whatever the header holds, it is a wait or none."""
    wait = answers.fault(SERVER, 503, None, {"retry-after": value}).retry_after
    assert wait is None or 0 <= wait <= 300


def test_no_retry_after_means_no_wait() -> None:
    """Without the header the schedule goes on."""
    assert answers.fault(SERVER, 503, None, {}).retry_after is None
