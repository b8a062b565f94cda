"""Every header of a mail, in its order. To add one to all mails, add a row to `HEADERS`.

The extra headers of the configuration follow after these; `mime` adds the structural ones at the end. A value leaves
this module encoded and folded (RFC 2047, RFC 5322): it is one line, or several of which each but the first begins
with a space.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, quote
from functools import lru_cache

from mail_sender.mail import mime
from mail_sender.mail.config import MailConfig

_SPECIALS = frozenset('()<>[]:;@\\,."')


@dataclass(frozen=True, slots=True)
class About:
    """What the headers of one mail are made from: `recipient` in envelope form, `date` aware, language tags."""

    config: MailConfig
    recipient: str
    message_id: str
    subject: str
    date: datetime
    languages: tuple[str, ...]


HEADERS: Mapping[str, Callable[[About], str]] = {
    "Date": lambda mail: format_datetime(mail.date),
    "From": lambda mail: mailbox("From", mail.config.instance_display_name, mail.config.from_address),
    "Reply-To": lambda mail: mailbox("Reply-To", mail.config.instance_display_name, mail.config.reply_to_address),
    # An address outside ASCII stands there in UTF-8 (RFC 6532): it has no other spelling.
    "To": lambda mail: mail.recipient,
    "Subject": lambda mail: words("Subject", mail.subject),
    "Message-ID": lambda mail: mail.message_id,
    # RFC 3834, section 5: no holiday notices in answer to this.
    "Auto-Submitted": lambda _: "auto-generated",
    "X-Auto-Response-Suppress": lambda _: "All",
    "Content-Language": lambda mail: ", ".join(mail.languages),
}

# Cc and Bcc would name recipients that are none, Sender another author; relays and mailboxes write the rest.
_NEVER_SET = ("Bcc", "Cc", "Sender", "Return-Path", "Received", "DKIM-Signature", "Content-Disposition")

RESERVED = frozenset(name.lower() for name in (*HEADERS, *mime.HEADERS, *_NEVER_SET))
"""Names, in lower case, that no extra header may have; nor may it begin with `resent-`."""


def of(mail: About) -> list[tuple[str, str]]:
    """Return the names and encoded values of all headers but the structural ones."""
    return [*((name, value(mail)) for name, value in HEADERS.items()), *mail.config.headers]


def words(header: str, text: str) -> str:
    """Return unstructured text as a header's value: encoded words (RFC 2047) where it is not ASCII, or very long.

    Text that looks like an encoded word is encoded too, so that mail programs show it unchanged.
    """
    if text.isascii() and len(text) < mime.LONGEST_LINE - 98 and "=?" not in text:
        return text
    return _encoded_words(header, text)


@lru_cache(maxsize=256)  # names and subjects return with every mail, and cost as much as all its templates
def _encoded_words(header: str, text: str) -> str:
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def mailbox(header: str, name: str, address: str) -> str:
    """Return `name <address>` as a header's value (RFC 5322, section 3.4)."""
    encoded = words(header, name)
    phrase = f'"{quote(name)}"' if encoded == name and _SPECIALS & set(name) else encoded
    return f"{phrase} <{address}>"
