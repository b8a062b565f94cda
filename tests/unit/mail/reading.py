"""Reads mails back as a mail program does, and pages as a browser does."""

from datetime import datetime
from email.message import EmailMessage
from html.parser import HTMLParser

from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import render
from mail_sender.message import Content
from tests.golden.samples import parsed
from tests.support.samples import ELLIE, MAIL, NOW, message

HEADERS = [
    "Date", "From", "Reply-To", "To", "Subject", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
    "Content-Language", "MIME-Version", "Content-Type",
]  # fmt: skip


def mail_of(mail: Mail) -> EmailMessage:
    """Return the mail as a mail program reads it."""
    return parsed(mail.content)


def bodies(mail: Mail) -> tuple[str, str]:
    """Return the text and the HTML part, decoded."""
    parsed = mail_of(mail)
    text, html = (part.get_content() for kind in ("plain", "html") if (part := parsed.get_body((kind,))))
    return text, html


def rendered(content: Content, config: MailConfig = MAIL, date: datetime = NOW) -> Mail:
    """Return the mail of a message with this content."""
    return render(message(content=content, number=1), ELLIE, config, date)


class Elements(HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.oddities: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Keep what no template has."""
        self.oddities.append(data)

    def handle_pi(self, data: str) -> None:
        """Keep what no template has."""
        self.oddities.append(data)
