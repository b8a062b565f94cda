"""Which language a recipient's mail is in: the narrowest rule counts, and a second language never repeats the first."""

import pytest

from mail_sender.templating.languages import Languages

RULES = {"ellie@example.de": "en", "example.de": "de", "fr.example.de": "fr", "com": "es"}
FIRST = {
    "ellie@example.de": "en", "bob@example.de": "de", "BOB@EXAMPLE.DE": "de", "bob@mail.example.de": "de",
    "bob@fr.example.de": "fr", "bob@a.b.fr.example.de": "fr", "ellie@fr.example.de": "fr",
    "bob@notexample.de": "nl", "bob@example.de.example.org": "nl", "bob@example.com": "es",
}  # fmt: skip


@pytest.mark.parametrize("recipient", FIRST)
def test_the_narrowest_rule_counts(recipient: str) -> None:
    """The address before its domain, a longer domain before a shorter one, whole labels only, then the default."""
    assert Languages("nl", None, RULES).of(recipient) == (FIRST[recipient],)


def test_a_second_language_follows() -> None:
    """Unless it is the first one already."""
    languages = Languages("en", "de", {"example.fr": "fr", "example.de": "de"})
    assert languages.of("a@example.com") == ("en", "de")
    assert languages.of("a@example.fr") == ("fr", "de")
    assert languages.of("a@example.de") == ("de",)


def test_all_names_each_language_once() -> None:
    """Whatever a mail may be written in is checked when the configuration is read."""
    assert Languages("en", "de", {"a.example": "fr", "b.example": "en"}).all == ("en", "fr", "de")
    assert Languages().all == ("en",)
