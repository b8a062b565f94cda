"""Whose fault a refusal is, read from its words."""

from datetime import timedelta

import pytest

from mail_sender.relay.known_refusals import Rule, rules
from mail_sender.relay.refusals import asked_wait, blame, plain
from mail_sender.verdict import LONGEST_TEXT, Blame, Reply, Stage
from tests.support.known_replies import KNOWN

NOT_THE_RECIPIENTS = {Blame.ACCOUNT, Blame.QUOTA, Blame.PACE, Blame.RELAY}


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


@pytest.mark.parametrize("stage", [Stage.BANNER, Stage.EHLO, Stage.AUTH, Stage.MAIL])
def test_before_rcpt_no_refusal_is_a_recipients(stage: Stage) -> None:
    """Whatever its words: nobody has been named yet. Only MAIL may mean the mail's size."""
    for _, _, reply in KNOWN:
        found = blame(stage, reply)
        assert found in NOT_THE_RECIPIENTS or (stage is Stage.MAIL and found is Blame.MESSAGE), reply


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
