"""Whose fault a refusal is, read from its words."""

from datetime import timedelta
from itertools import cycle, product
from time import process_time

import pytest

from mail_sender.relay.known_refusals import Rule, rules
from mail_sender.relay.redaction import LONGEST_READ
from mail_sender.relay.refusals import asked_wait, blame, plain
from mail_sender.verdict import LONGEST_TEXT, Blame, Reply, Stage
from tests.support.known_replies import KNOWN

NOT_THE_RECIPIENTS = {Blame.ACCOUNT, Blame.QUOTA, Blame.PACE, Blame.RELAY}
LEADS = (
    "5.1.1 ",
    "5.2.1 ",
    "5.2.2 ",
    "4.2.1 ",
    "5.7.1 ",
    "5.1.1 <user@example.net>: Recipient address rejected: ",
    "4.7.1 <user@example.net>: ",
)
OURS = (
    "Your account",
    "Your mailbox",
    "Your user account",
    "Your domain",
    "This SMTP user",
    "Sending from your account",
    "Sending for this user",
    "Outbound mail from this mailbox",
    "SMTP access for this account",
    "The sender's mailbox",
    "The authenticated user",
    "Your API key",
)
BARRED = (
    "has been suspended",
    "is temporarily suspended",
    "is blocked due to spam",
    "was disabled by the administrator",
    "has been deactivated due to inactivity",
    "is locked",
    "has expired",
    "is not allowed to send",
    "is not yet verified",
)
QUOTAS = (
    "Your daily limit",
    "The hourly quota",
    "Monthly message allowance",
    "Your mail quota for today",
    "Sending quota of your mailbox",
    "Daily recipient limit for this mailbox",
    "The number of messages this user may send in 24 hours",
)
USED_UP = ("has been reached", "is exceeded", "is used up", "reached, try again tomorrow", "exceeded for this user")
PACES = (
    "You are sending too fast",
    "Too many messages in a short time",
    "Message rate too high for this user",
    "Concurrent session limit reached",
    "Mailbox rate limit exceeded for sending",
)


def test_each_known_refusal_is_blamed_on_who_is_at_fault() -> None:
    """Except for those that are between two: they are never the recipient's alone."""
    wrong = [
        f"{stage} {reply}: {found.name}, not {right.name}"
        for right, stage, reply in KNOWN
        if (found := blame(stage, reply)) is not right and (right is not Blame.AMBIGUOUS or found is Blame.RECIPIENT)
    ]
    assert wrong == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.example)
def test_each_rule_decides_its_own_example(rule: Rule) -> None:
    """A rule behind one that fits the same replies would never be asked."""
    reply = Reply(550, rule.example)
    assert next(known for known in rules() if known.fits(plain(reply.text), reply.enhanced or "")) is rule
    assert blame(Stage.DOT, reply) is rule.blame


@pytest.mark.parametrize("text", ["", "rejected", "5.0.0 no", "5.1 is no status", "hmm"])
def test_a_refusal_that_fits_no_rule_is_unclear(text: str) -> None:
    """Then only what other mails meet can say whose fault it is."""
    assert blame(Stage.DOT, Reply(550, text)) is Blame.UNCLEAR


def test_before_rcpt_no_refusal_is_a_recipients() -> None:
    """Whatever its words: nobody has been named yet. Only MAIL may mean the mail's size, or a policy against us."""
    at_mail = NOT_THE_RECIPIENTS | {Blame.MESSAGE, Blame.AMBIGUOUS}
    for _, _, reply in KNOWN:
        assert blame(Stage.MAIL, reply) in at_mail, reply
        for stage in (Stage.BANNER, Stage.EHLO, Stage.AUTH):
            assert blame(stage, reply) in NOT_THE_RECIPIENTS, reply


def test_no_words_about_our_account_a_quota_or_the_pace_are_a_recipients() -> None:
    """Not even behind a code or a lead that says so: such a mail would be lost, though nothing is wrong with it."""
    leads = cycle(LEADS)
    wrong = [
        f"{lead}{said}: {found.name}"
        for said in (*map(" ".join, product(OURS, BARRED)), *map(" ".join, product(QUOTAS, USED_UP)), *PACES)
        for lead in (next(leads), "")
        if not (found := blame(Stage.RCPT, Reply(450 if lead.startswith("4") else 550, lead + said))).is_ours
    ]
    assert wrong == []


@pytest.mark.parametrize("local", ["limit", "spam", "user", "account-suspended", "quota.exceeded", "relay+list", "x"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<{}@example.net>... does not want to be named", Blame.UNCLEAR),
        ("{}@example.net no such user", Blame.RECIPIENT),
        ("Daily quota exceeded...{}@example.com", Blame.QUOTA),
    ],
)
def test_an_addresss_words_say_nothing(local: str, text: str, found: Blame) -> None:
    """Whatever the mailbox is called."""
    assert blame(Stage.RCPT, Reply(550, text.format(local))) is found


@pytest.mark.parametrize(
    "text", ["QuotaExceeded", "SendQuotaExceededException", "daily_quota_exceeded", "err=DAILY_QUOTA_EXCEEDED"]
)
def test_the_parts_of_a_name_are_words(text: str) -> None:
    """Programs answer with the names of their exceptions and codes."""
    assert blame(Stage.DOT, Reply(554, f"5.0.0 {text}")) is Blame.QUOTA


@pytest.mark.parametrize("text", ["a ", "a", "sender ", "A_", "@", "a.", "your account ", "limit exceeded "])
def test_a_reply_made_to_be_slow_is_read_in_bounded_time(text: str) -> None:
    """No word of the table takes more than a few steps for each character."""
    started = process_time()
    blame(Stage.DOT, Reply(550, (text * LONGEST_READ)[:LONGEST_READ]))
    assert process_time() - started < 0.5


def test_words_go_before_the_code_of_a_recipient() -> None:
    """Providers give codes of a recipient to what our account may not do."""
    assert blame(Stage.RCPT, Reply(550, "5.1.1 relaying denied")) is Blame.AMBIGUOUS
    assert blame(Stage.RCPT, Reply(550, "5.1.1 Sender address rejected: User unknown")) is Blame.ACCOUNT
    assert blame(Stage.RCPT, Reply(550, "5.1.1 daily quota exceeded")) is Blame.QUOTA
    assert blame(Stage.RCPT, Reply(550, "5.7.1 no such user")) is Blame.RECIPIENT


def test_the_reason_may_stand_in_the_last_of_many_lines() -> None:
    """Logs and the ledger show the beginning of a reply; whose fault it is, all of it says."""
    reply = Reply.of(550, "5.4.5 " + "read this first; " * 40 + "Daily user sending limit exceeded, retry in 92 s")
    assert len(reply.text) == LONGEST_TEXT
    assert blame(Stage.RCPT, reply) is Blame.QUOTA
    assert asked_wait(reply) == timedelta(seconds=97)


def test_capitals_accents_and_wide_letters_change_nothing() -> None:
    """Texts are compared in their plain form."""
    for text in (
        "DAILY QUOTA EXCEEDED",
        "daily  quota\texceeded",
        "ｄａｉｌｙ ｑｕｏｔａ exceeded",
        "dáily quöta exceeded",
    ):
        assert blame(Stage.DOT, Reply(550, text)) is Blame.QUOTA, text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 300 seconds", 305),
        ("Too many messages. Try again in 92 seconds", 97),
        ("please wait 5 min", 305),
        ("retry in 1 hour", 1800),
        ("4.2.0 later", 0),
        ("in 3 mailboxes", 0),
        ("[31m not allowed [1;31m smtp-5m.example", 0),
        ("retry=300s", 305),
    ],
)
def test_a_refusal_that_names_a_time_is_believed_up_to_half_an_hour(text: str, seconds: int) -> None:
    """And five seconds more, since clocks differ."""
    assert asked_wait(Reply(450, text)) == timedelta(seconds=seconds)
