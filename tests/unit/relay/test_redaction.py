"""What a relay quotes is cleaned at birth: no log and no ledger ever holds the rest."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail_sender.mail.mail import Mail
from mail_sender.relay import seen
from mail_sender.relay.redaction import cleaned
from mail_sender.relay.seen import Quotable, Seen
from mail_sender.verdict import LONGEST_TEXT
from tests.support.samples import ELLIE, INTENT, NOW

SECRET = str(INTENT)
MAIL = Mail("<1@example.com>", NOW, "idm@example.com", ELLIE, b"x", (SECRET,), ("Ellie Émile",))
LOGIN = ("AGlkbQBjb3JyZWN0", "correct horse")


def clean(text: str, mail: Mail | None = MAIL) -> str:
    """Clean a reply."""
    return cleaned(text, LOGIN, Seen([mail] if mail else []))


@pytest.mark.parametrize(
    "text", ["2.0.0 Ok: queued as 4D2F8A", "5.1.1 no such user", "4.7.1 greylisted for 300 seconds", ""]
)
def test_a_reply_that_quotes_nothing_stays_as_it_is(text: str) -> None:
    """The operator searches for its words."""
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"blocked: https://idm.example.com/ui/reset?token={SECRET} (spam)", "***"),
        (f"blocked token=3D{SECRET}", "***"), (f"<{SECRET}>", "<***>"),
        ("bad login correct horse", "bad login ***"),
        ("AUTH PLAIN AGlkbQBjb3JyZWN0 unknown", "AUTH PLAIN *** unknown"),
        (f"<{ELLIE}> unknown", "<e***@example.com> unknown"),
        ("<ELLIE@Example.COM> unknown", "<e***@example.com> unknown"), ("Dear Ellie Émile, no", "Dear ***, no"),
        ("dear ELLIE ÉMILE: no", "dear ***: no"),
    ],
)  # fmt: skip
def test_what_it_quotes_is_hidden(text: str, expected: str) -> None:
    """The login, the link's secret, the person's name; the address is masked."""
    found = clean(text)
    assert expected in found
    for hidden in (SECRET, *LOGIN, ELLIE, "Émile"):
        assert hidden.lower() not in found.lower()


@pytest.mark.parametrize("said", ['<"foo..bar."@b.example>', "<foo..bar.@B.example>", "foo..bar.@b.example"])
def test_an_address_that_goes_quoted_is_masked_in_both_spellings(said: str) -> None:
    """Some relays take the quotes away."""
    assert clean(f"{said} unknown", replace(MAIL, recipient='"foo..bar."@b.example')) == (
        re.sub("(?i)[^<>]*b.example", "f***@b.example", said) + " unknown"
    )
    assert clean('<"a b"@c.example> unknown') == "<a***@c.example> unknown"


@pytest.mark.parametrize("start", range(len(SECRET) - 5))
def test_every_fragment_of_a_links_secret_is_hidden(start: int) -> None:
    """A relay may quote a line that was folded in the middle of it."""
    for end in range(start + 6, len(SECRET) + 1):
        assert SECRET[start:end] not in clean(f"line: {SECRET[start:end]}= folded")


def test_without_a_mail_only_the_login_is_known() -> None:
    """Before MAIL there is nothing else to hide, besides what is an address or a link's token, whoever's it is."""
    said = "hello ellie@example.com, see https://idm.example.com/ui/reset?token=aaaaa-bbbbb&x=1, correct horse"
    shown = "hello e***@example.com, see https://idm.example.com/ui/reset?token=***&x=1, ***"
    assert clean(said, None) == shown


@pytest.mark.parametrize(
    ("name", "said", "shown"),
    [("Jo", "Jo: no such job", "Jo: no such job"), ("Post", "Postfix: post? no", "Postfix: ***? no")],
)
def test_a_name_hides_whole_words_only_and_a_short_one_nothing(name: str, said: str, shown: str) -> None:
    """It would blot out the words of every reply."""
    assert clean(said, replace(MAIL, names=(name,))) == shown


def test_a_reply_is_one_short_line() -> None:
    """Whatever the relay puts into it."""
    found = clean("a\r\nb\x00c\x1b[31m\u2028d  e\t" + "x" * 10_000)
    assert found.startswith("a b c [31m d e ")
    assert len(found) == LONGEST_TEXT
    assert found.isprintable()


@given(st.text(max_size=300))
def test_whatever_surrounds_a_secret_it_does_not_come_through(noise: str) -> None:
    """At any place in any text."""
    found = clean(f"{noise}{SECRET}{noise}{LOGIN[1]}{noise}")
    assert SECRET not in found
    assert LOGIN[1] not in found
    assert len(found) <= LONGEST_TEXT
    assert found == "" or found.isprintable()


def test_old_access_tokens_and_old_mails_are_not_kept() -> None:
    """There are thousands of characters in each, and a new token comes every hour."""
    link = "spec1-7Kp2w-9Zq4t-3Rb8m"
    for number in range(20):
        token = f"{number}".join(chr(97 + one % 26) for one in range(2000))
        assert cleaned(f"no {token[:60]} {link}", (token, link)) == "no *** ***"
    assert seen.bare_login.cache_info().currsize <= 8
    mails = Seen()
    for _ in range(100):
        mails.add(MAIL)
    assert len(mails.bare) < (len(SECRET) + 1) * seen.MOST
    for number in range(1_000):
        mails.add(replace(MAIL, recipient=f"{number:03}@example.com", secrets=(f"{number:06}",), names=()))
    assert not mails.quotable_in("499@example.com")
    assert len(mails.quotable_in("999@example.com")) == seen.MOST
    assert cleaned("00930 00940", (), mails) == "00930 ***"


class Thorough(Seen):
    """Looks at every mail for every reply."""

    def quotable_in(self, text: str) -> Sequence[Quotable]:
        """Return all."""
        return tuple(self._quotable)

    def has_piece(self, found: Collection[str]) -> bool:
        """Look at each secret."""
        return any(piece in self.bare for piece in found)


QUOTES = ["ab", "***b", "a***", SECRET, "spec1-7Kp2w", "ẞtraẞe", "SStrasse", "12345", ELLIE, "Ellie Émile", "ﬃe"]
PARTS = st.sampled_from(
    [*QUOTES, "***", *(quote.swapcase() for quote in QUOTES), " ", "-", "no", "=", "/", "QUItU1N0cmFzc2U="]
)
MAILS = st.builds(
    lambda recipient, secrets, names: replace(MAIL, recipient=f"{recipient}@b", secrets=secrets, names=names),
    st.sampled_from(["a", "ẞtraẞe", "ab", '"a b"']),
    st.lists(st.sampled_from(QUOTES), max_size=2).map(tuple),
    st.lists(st.sampled_from(QUOTES), max_size=2).map(tuple),
)


@settings(max_examples=150)
@given(st.lists(MAILS, max_size=3), st.lists(PARTS, max_size=6).map("".join), st.integers(0, 1))
@example([replace(MAIL, secrets=("12345",), names=("*** b",))], "1-2345 b", 0)
@example([MAIL, replace(MAIL, names=("Zed Example",))], "no Zed Example", 1)
def test_a_first_look_leaves_nothing_out(mails: list[Mail], text: str, others: int) -> None:
    """Also of mails that were marked a while ago, in other spellings, and where stars came in for something else."""
    seen_before = [*mails, *[MAIL] * others * (seen.MOST - 1)]
    assert cleaned(text, LOGIN, Seen(seen_before)) == cleaned(text, LOGIN, Thorough(seen_before))
