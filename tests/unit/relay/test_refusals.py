"""Whose fault a refusal is, read from its words."""

import pytest

from mail_sender.relay.refusals import RULES, Blame, Rule, blame
from mail_sender.verdict import Reply


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_decides_its_own_example(rule: Rule) -> None:
    """A rule behind one that fits the same replies would never be asked."""
    reply = Reply(550, rule.example)
    assert next(known for known in RULES if known.fits(reply)) is rule
    assert blame(reply) is rule.blame


@pytest.mark.parametrize(
    "text", ["", "rejected", "5.0.0 no", "5.3.0 no", "4.1.1 said with a 5xx", "5.1 is no status"]
)
def test_a_refusal_that_fits_no_rule_is_unclear(text: str) -> None:
    """Then only what other mails meet can say whose fault it is."""
    assert blame(Reply(550, text)) is Blame.UNCLEAR


def test_a_status_goes_before_words_and_policy_before_the_recipient() -> None:
    """A confused relay may say both."""
    assert blame(Reply(550, "5.1.1 relaying denied")) is Blame.MAIL
    assert blame(Reply(550, "5.7.1 no such user")) is Blame.CONFIGURATION
    assert blame(Reply(550, "relaying denied: no such user")) is Blame.CONFIGURATION
