"""Every header of a mail, in its order. To add one to all mails, add a row to `HEADERS`.

The extra headers of the configuration follow after these, each on its one line; `mime` adds the structural ones at
the end. A value leaves this module encoded and folded (RFC 2047, RFC 5322): it is one line, or several of which each
but the first begins with a space. Lines of text have at most 78 characters, those with an encoded word 76; each
encoded word has at most 75, and holds whole characters. An address stays in one piece, whatever its length.
"""

import textwrap
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.charset import Charset
from email.utils import format_datetime, quote
from functools import lru_cache

from mail_sender.mail import mime
from mail_sender.mail.config import MailConfig

_LONGEST, _LONGEST_ENCODED = 78, 76  # RFC 5322, section 2.1.1; RFC 2047, section 2
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


@lru_cache(maxsize=8)
def _kept_mailbox(header: str, name: str, address: str) -> str:
    """Return what all mails of a configuration have (`mailbox`)."""
    return mailbox(header, name, address)


HEADERS: Mapping[str, Callable[[About], str]] = {
    "Date": lambda mail: format_datetime(mail.date),
    "From": lambda mail: _kept_mailbox("From", mail.config.instance_display_name, mail.config.from_address),
    "Reply-To": lambda mail: _kept_mailbox(
        "Reply-To", mail.config.instance_display_name, mail.config.reply_to_address
    ),
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
    """Return unstructured text as a header's value: encoded words (RFC 2047) where folded ASCII would not do.

    Text that looks like an encoded word is encoded too, so that mail programs show it unchanged.
    """
    return _plain(header, text) or _encoded_words(header, text)


def mailbox(header: str, name: str, address: str) -> str:
    """Return `name <address>` as a header's value (RFC 5322, section 3.4)."""
    quoted = f'"{quote(name)}"' if _SPECIALS & set(name) else name
    # A quoted text is not folded: old programs would show what stands at the fold.
    plain = _plain(header, quoted) if len(f"{header}: {quoted}") <= _LONGEST or quoted == name else None
    phrase, longest = (plain, _LONGEST) if plain else (_encoded_words(header, name), _LONGEST_ENCODED)
    last_line = f"{header}: {phrase}".rpartition("\r\n")[2]
    fold = "" if len(f"{last_line} <{address}>") <= longest else "\r\n"
    return f"{phrase}{fold} <{address}>"


def _plain(header: str, text: str) -> str | None:
    """Return ASCII text as it is, folded at its spaces if it is long; None if that cannot be done."""
    if not text.isascii() or "=?" in text:
        return None
    if len(f"{header}: {text}") <= _LONGEST:
        return text
    if text != " ".join(text.split()):  # what unfolds a header may make one space of several
        return None
    before = " " * len(f"{header}: ")
    lines = textwrap.wrap(
        text, _LONGEST, initial_indent=before, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False
    )
    return "\r\n".join(lines).removeprefix(before) if max(map(len, lines)) <= _LONGEST else None


@lru_cache(maxsize=32)  # names and subjects return with every mail, and cost as much as all its templates
def _encoded_words(header: str, text: str) -> str:
    made, start, room = list[str](), 0, _LONGEST_ENCODED - len(f"{header}: ")
    while start < len(text) or not made:
        sizes = range(1, min(room, len(text) - start) + 1)
        size = max(1, bisect_right(sizes, room, key=lambda size: len(_encoded(text[start : start + size]))))
        made.append(_encoded(text[start : start + size]))
        start, room = start + size, _LONGEST_ENCODED - 1
    return "\r\n ".join(made)


_encoded = Charset("utf-8").header_encode
"""One encoded word of a text, in the encoding that is shorter."""
