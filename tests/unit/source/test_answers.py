"""What a server's answers mean, and what is said to mend them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.source import answers
from mail_sender.source.base import Standing
from mail_sender.source.decoding import UNREADABLE

SERVER = "https://idm.example.com"
GROUPS = frozenset({"idm_message_senders", "idm_all_accounts"})


@pytest.mark.parametrize("may_write", [True, None])
def test_a_sender_that_may_write_or_does_not_say_has_a_good_standing(may_write: bool | None) -> None:
    """Groups that it does not need are named, in order, but not those that every sender has by nature."""
    groups = GROUPS | {"idm_admins", "idm_high_privilege", "builders"}
    found = answers.standing("mailer", groups, may_write=may_write)
    assert found == Standing("mailer", may_write, excess_groups=("builders", "idm_admins"))


@pytest.mark.parametrize(
    ("groups", "may_write", "kind", "cure"),
    [
        (
            GROUPS - {"idm_message_senders"},
            True,
            ServerFaultKind.NOT_A_SENDER,
            "add-members idm_message_senders mailer",
        ),
        (GROUPS, False, ServerFaultKind.TOKEN_READ_ONLY, "api-token generate mailer mail-sender --readwrite"),
    ],
)
def test_a_sender_that_could_not_mark_gets_the_command_that_mends_it(
    groups: frozenset[str], may_write: bool, kind: ServerFaultKind, cure: str
) -> None:
    """Outside the group the queue would look empty for ever; the command has the account's own name in it."""
    with pytest.raises(ServerFault) as caught:
        answers.standing("mailer", groups, may_write=may_write)
    assert caught.value.kind is kind
    assert cure in caught.value.advice


HTML = UNREADABLE
MEANINGS: list[tuple[int, object, ServerFaultKind]] = [
    (401, "notauthenticated", ServerFaultKind.TOKEN_REFUSED), (401, HTML, ServerFaultKind.NOT_KANIDM),
    (401, "sessionexpired", ServerFaultKind.TOKEN_REFUSED), (401, "accessdenied", ServerFaultKind.NOT_KANIDM),
    (403, "accessdenied", ServerFaultKind.TOKEN_READ_ONLY), (403, HTML, ServerFaultKind.NOT_KANIDM), (408, None, ServerFaultKind.OVERLOADED),
    (429, HTML, ServerFaultKind.OVERLOADED), (502, HTML, ServerFaultKind.OVERLOADED),
    (503, "x", ServerFaultKind.OVERLOADED), (504, HTML, ServerFaultKind.OVERLOADED),
    (301, HTML, ServerFaultKind.NOT_KANIDM), (400, HTML, ServerFaultKind.NOT_KANIDM),
    (404, "nomatchingentries", ServerFaultKind.ERROR), (500, "backend", ServerFaultKind.ERROR),
    (500, {"missingattribute": "mail"}, ServerFaultKind.ERROR), (599, HTML, ServerFaultKind.NOT_KANIDM),
    (500, {"message": "x"}, ServerFaultKind.NOT_KANIDM), (500, HTML, ServerFaultKind.NOT_KANIDM),
    (404, "notfound", ServerFaultKind.NOT_KANIDM), (404, None, ServerFaultKind.NOT_KANIDM),
]  # fmt: skip


@pytest.mark.parametrize(("status", "answer", "kind"), MEANINGS)
def test_a_status_is_one_kind_of_trouble(status: int, answer: object, kind: ServerFaultKind) -> None:
    """By status and by whether it is in Kanidm's words; the sentence has the status and something to do."""
    found = answers.fault(SERVER, status, answer, {})
    assert found.kind is kind
    assert found.advice
    if kind is not ServerFaultKind.TOKEN_READ_ONLY:
        assert str(status) in found.detail


def test_the_servers_own_word_is_repeated() -> None:
    """A bare word, or the key of a one-key object: what its log calls the error."""
    assert "500 backend" in answers.fault(SERVER, 500, "backend", {}).detail
    assert "500 missingattribute" in answers.fault(SERVER, 500, {"missingattribute": "mail"}, {}).detail


@pytest.mark.parametrize("answer", ["x\r\ny", "\x1b[2J", "x" * 10_000, ["x"], 5, {}, {"\n": 1}])
def test_what_is_no_word_is_not_repeated(answer: object) -> None:
    """Control characters, structures and what would fill the log stay out of the sentence."""
    assert answers.fault(SERVER, 500, answer, {}).detail.endswith("it answers 500 with JSON that is not Kanidm's")


RETRY_AFTER = {
    None: None,
    "7": 7.0,
    " 7 ": 7.0,
    "0": 0.0,
    "999999": 300.0,
    "-5": None,
    "soon": None,
    "": None,
    "1.5": None,
}


@pytest.mark.parametrize("value", RETRY_AFTER)
def test_the_wait_that_a_server_asks_for_is_kept_within_five_minutes(value: str | None) -> None:
    """Whole seconds count (RFC 9110, section 10.2.3); what is neither they nor a date does not."""
    found = answers.fault(SERVER, 503, None, {} if value is None else {"retry-after": value})
    assert found.retry_after == RETRY_AFTER[value]
    assert ("a pause" in found.advice) == (found.retry_after is not None)


def test_the_wait_may_be_a_date() -> None:
    """A date to come is counted from now, one that has passed is no wait."""
    for seconds, least, most in ((60, 50, 60), (-60, 0, 0), (86_400, 300, 300)):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        wait = answers.fault(SERVER, 429, None, {"retry-after": date}).retry_after
        assert wait is not None
        assert least <= wait <= most


def test_a_date_to_wait_for_is_by_the_servers_own_clock() -> None:
    """Ours may be hours wrong."""
    now = datetime.now(UTC) + timedelta(hours=2)
    headers = {"date": format_datetime(now, usegmt=True)}
    headers["retry-after"] = format_datetime(now + timedelta(seconds=60), usegmt=True)
    assert answers.fault(SERVER, 503, None, headers).retry_after == 60.0


@given(st.text(max_size=40))
def test_no_retry_after_crashes_the_sender(value: str) -> None:
    """Whatever the header holds, it is a wait or none."""
    wait = answers.fault(SERVER, 503, None, {"retry-after": value}).retry_after
    assert wait is None or 0 <= wait <= 300
