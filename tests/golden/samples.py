"""Samples: the mails that are kept as files here, and looked at in a browser.

Each is one message of a kind to Ellie, at one time, with one configuration.
"""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from uuid import UUID
from zoneinfo import ZoneInfo

from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import render
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Brand
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.languages import Languages
from mail_sender.templating.logo import Logo

REVIEWED = ("en", "de")
UNREVIEWED = ("cs", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "uk", "zh")
KIND_NAMES = tuple(KINDS)
ELLIE = "ellie@example.com"
NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)
INTENT = IntentId("d1c2s-tuyyh-kcpx2-zhfqx")
BERLIN = ZoneInfo("Europe/Berlin")


def image(width: int, height: int, color: bytes) -> bytes:
    """Return a PNG of one colour (three octets)."""
    rows = (b"\x00" + color * width) * height
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows, 0),
        b"IEND": b"",
    }
    made = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + made


ACME = Brand(
    name="Acme Accounts",
    color="#b45309",
    logo=Logo.of(image(24, 8, b"\xb4\x53\x09")),
    support="Write to help@example.com or call +49 30 123456.",
    footer="Acme GmbH, Beispielstraße 1, 10115 Berlin",
)


def config(*languages: str, brand: Brand | None = None, name: str = "Example Identity") -> MailConfig:
    """Return a configuration with a language, or two."""
    first, second = (*languages, None)[:2]
    appearance = Appearance(languages=Languages(first or "en", second), zone=BERLIN, brand=brand or Brand())
    return MailConfig(
        name, "https://idm.example.com", "idm@example.com", "support@example.com", appearance=appearance
    )


def content(kind: str, name: str = "Ellie", intent: IntentId = INTENT) -> Content:
    """Return what a message of a kind holds."""
    if kind == TestMessage.kind:
        return TestMessage(name)
    return CredentialReset(name, intent, NOW + timedelta(minutes=55))


def mail(of: Content, with_: MailConfig) -> Mail:
    """Return the mail."""
    return render(Message(UUID(int=1), NOW, NOW + timedelta(days=7), (ELLIE,), of), ELLIE, with_, NOW)


def parsed(content: bytes) -> EmailMessage:
    """Return a mail as a mail program reads it."""
    mail = BytesParser(policy=default).parsebytes(content)
    assert isinstance(mail, EmailMessage)
    return mail


def body(content: bytes, subtype: str) -> str:
    """Return the text (`plain`) or the page (`html`) of a mail, decoded."""
    part = parsed(content).get_body((subtype,))
    assert part is not None
    return str(part.get_content())
