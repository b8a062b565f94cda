"""The headers of a mail: exactly these, with values that come back as they were."""

from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mail_sender.mail import headers, mime
from mail_sender.message import TestMessage
from mail_sender.templating.appearance import Appearance
from tests.support.samples import ELLIE, MAIL, reset
from tests.unit.mail.reading import HEADERS, mail_of, rendered

SEED = "<1@example.com>"


def test_the_headers_are_exactly_these() -> None:
    """Every header is ours and has its value; the envelope carries the bare addresses."""
    mail = rendered(TestMessage("Ellie"))
    parsed = mail_of(mail)
    assert parsed.keys() == HEADERS
    assert {name: str(parsed[name]) for name in HEADERS[:-1]} == {
        "Date": "Sat, 21 Nov 2026 12:00:00 +0000",
        "From": "Example Identity <idm@example.com>",
        "Reply-To": "Example Identity <support@example.com>",
        "To": "ellie@example.com",
        "Subject": "Example Identity: Test Message",
        "Message-ID": "<00000000-0000-0000-0000-000000000001@example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": "en",
        "MIME-Version": "1.0",
    }
    assert (mail.sender, mail.recipient, mail.message_id) == ("idm@example.com", ELLIE, parsed["Message-ID"])


def test_extra_headers_follow_in_their_order() -> None:
    """What `[headers]` says stands after our own headers, before the structure's."""
    config = replace(MAIL, headers=(("X-Tag", "one"), ("X-Other", "two")))
    mail = mail_of(rendered(TestMessage("x"), config))
    assert mail.keys() == [*HEADERS[:9], "X-Tag", "X-Other", *HEADERS[9:]]
    assert (mail["X-Tag"], mail["X-Other"]) == ("one", "two")


@pytest.mark.parametrize("name", ["x" * 2000, "Example Identity " * 100, "é" * 2000])
def test_a_very_long_instance_name_makes_no_long_line(name: str) -> None:
    """No line of a mail is longer than 998 octets (RFC 5322, section 2.1.1), whatever the configuration says."""
    mail = rendered(reset(), replace(MAIL, instance_display_name=name.strip()))
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("html", [True, False])
def test_a_header_that_every_mail_has_cannot_be_set_by_the_configuration(html: bool) -> None:
    """It would stand there twice."""
    mail = rendered(TestMessage("x"), replace(MAIL, appearance=Appearance(html=html)))
    assert {name.lower() for name in mail_of(mail)} <= headers.RESERVED


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=200))
@example("Société Générale: Réinitialisation")
@example("识别" * 60)
@example("😀" * 40)
@example('Weird "quoted" (comment), <name>; é')
def test_a_subject_comes_back_as_it_was(subject: str) -> None:
    """Printable text with single spaces survives encoding, folding and decoding."""
    subject = " ".join(subject.split()) or "x"
    if "=?" in subject:
        return
    content = mime.compose([("Subject", headers.words("Subject", subject))], "", "", seed=SEED)
    assert message_from_bytes(content, policy=default)["Subject"] == subject
    assert max(map(len, content.split(b"\r\n"))) <= 998


NAMES = [
    "Example Identity", "Example, Inc.", 'The "Best" Identity', "back\\slash", "a.b", "x@y", "(comment)", "Société",
    "识别 中心", "Ünïcode, Inc. <x@y>", "😀", "O'Brien", "a; b: c", "[brackets]", "é" * 100,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_mailbox_has_exactly_one_address_and_its_name(name: str) -> None:
    """However the display name looks, the header is one mailbox: that name and that address."""
    header = headers.mailbox("From", name, "idm@example.com")
    content = mime.compose([("From", header)], "", "", seed=SEED)
    (address,) = message_from_bytes(content, policy=default)["From"].addresses
    assert address.addr_spec == "idm@example.com"
    # Before 3.13 the new parser keeps the space between two encoded words of a phrase (RFC 2047, 6.2); the old one not.
    phrase, _ = parseaddr(str(message_from_bytes(content)["From"]))
    assert str(make_header(decode_header(phrase))) == name


SES = tuple(
    (f"X-SES-{name}-ARN", f"arn:aws:ses:eu-central-1:123456789012:identity/{'mail.' * 30}{name.lower()}.example.com")
    for name in ("SOURCE", "FROM", "RETURN-PATH")
)


def test_the_long_headers_of_amazon_ses_arrive_unmangled() -> None:
    """Each on one line, neither folded nor encoded: SES reads them as they are."""
    mail = rendered(reset(), replace(MAIL, headers=SES))
    lines = mail.content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert [line for line in lines if line.startswith(b"X-SES")] == [
        f"{name}: {value}".encode() for name, value in SES
    ]
    assert [(name, str(mail_of(mail)[name])) for name, _ in SES] == list(SES)
