"""The headers of a mail: exactly these, with values that come back as they were."""

import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import getaddresses, parseaddr

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


@pytest.mark.parametrize("name", ['"' * 800, "识别" * 400, "Example Identity " * 100])
def test_a_long_instance_name_makes_no_long_header(name: str) -> None:
    """It stands in From, Reply-To and Subject."""
    head = rendered(reset(), replace(MAIL, instance_display_name=name.strip())).content.partition(b"\r\n\r\n")[0]
    fields = re.findall(r"(?s)(?:^|\r\n)([\w-]+): (.*?)(?=\r\n\S|$)", head.decode())
    assert [field for field, _ in fields] == HEADERS
    for field, value in fields[:-2]:
        assert within_limits(field, value)


@pytest.mark.parametrize("html", [True, False])
def test_a_header_that_every_mail_has_cannot_be_set_by_the_configuration(html: bool) -> None:
    """It would stand there twice."""
    mail = rendered(TestMessage("x"), replace(MAIL, appearance=Appearance(html=html)))
    assert {name.lower() for name in mail_of(mail)} <= headers.RESERVED


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=300))
@example("Société Générale: Réinitialisation")
@example("识别" * 60)
@example("😀" * 40)
@example("😀" * 400)
@example('"' * 800)
@example("word " * 200 + "x")
@example("x" * 1200)
@example('Weird "quoted" (comment), <name>; é')
def test_a_subject_comes_back_as_it_was(subject: str) -> None:
    """Printable text with single spaces survives encoding, folding and decoding."""
    subject = " ".join(subject.split()) or "x"
    if "=?" in subject:
        return
    value = headers.words("Subject", subject)
    assert within_limits("Subject", value)
    content = mime.compose([("Subject", value)], [], [], seed=SEED)
    assert message_from_bytes(content, policy=default)["Subject"] == subject


ENCODED_WORD = re.compile(r"=\?utf-8\?[bq]\?[^? ]*\?=")


def within_limits(header: str, value: str) -> bool:
    """Say whether a header keeps the limits of RFC 5322, section 2.1.1, and RFC 2047, section 2; each word is whole."""
    for number, line in enumerate(f"{header}: {value}".split("\r\n")):
        encoded = ENCODED_WORD.findall(line)
        unbreakable = len(line.split()) == 1 and not encoded
        assert len(line) <= (998 if unbreakable else 76 if encoded else 78)
        assert line[:1] == " " if number else line.startswith(f"{header}: ")
        assert line.strip()
        for word in encoded:
            assert len(word) <= 75
            ((octets, charset),) = decode_header(word)
            assert octets.decode(charset)
    return True


NAMES = [
    "Example Identity", "Example, Inc.", 'The "Best" Identity', "back\\slash", "a.b", "x@y", "(comment)", "Société",
    "识别 中心", "Ünïcode, Inc. <x@y>", "😀", "O'Brien", "a; b: c", "[brackets]", "é" * 100, '"' * 800, "\\" * 33, ",", "识别" * 400, "😀" * 300,
    "Example Identity " * 60 + "x", "x" * 2000, "x " + "y" * 70, "Example Identity of the Very Long Name, Incorporated in Nowhere", "a" * 60 + ".",
    "=?utf-8?q?x?=", "two  spaces " * 20 + "x", "é" + " " * 90 + "é", *(width * "x" + " y" for width in range(40, 90)), *(width * "é" for width in range(1, 40)),
]  # fmt: skip


MAILBOXES = [
    ("From", "idm@example.com"), ("Reply-To", "x" * 60 + "@example.com"), ("From", "x" * 982 + "@example.com"), ("Reply-To", '"a, <b>"@example.com'),
]  # fmt: skip


@pytest.mark.parametrize(("header", "mailbox"), MAILBOXES)
def test_a_mailbox_has_exactly_one_address_and_its_name(header: str, mailbox: str) -> None:
    """However long and whatever the display name is: lines of the right length, that name and that address."""
    for name in NAMES:
        value = headers.mailbox(header, name, mailbox)
        assert within_limits(header, value)
        content = mime.compose([(header, value)], [], [], seed=SEED)
        (address,) = message_from_bytes(content, policy=default)[header].addresses
        assert address.addr_spec == mailbox
        # Before 3.13 the new parser keeps the space between two encoded words of a phrase (RFC 2047, 6.2); the old one not.
        phrase, _ = parseaddr(str(message_from_bytes(content)[header]))
        assert str(make_header(decode_header(phrase))) == name


@given(
    st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1)
    .map(str.strip)
    .filter(bool)
)
def test_whatever_a_display_name_is_the_header_keeps_its_limits_and_has_one_address(name: str) -> None:
    """Also right after the name, where the address follows."""
    for times in (1, 30):
        value = headers.mailbox("From", name * times, "idm@example.com")
        assert within_limits("From", value)
        content = mime.compose([("From", value)], [], [], seed=SEED)
        assert len(message_from_bytes(content, policy=default)["From"].addresses) == 1
        assert getaddresses([message_from_bytes(content)["From"]])[0][1] == "idm@example.com"


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
