"""Reads the header fields of a mail from its octets, whatever these are, in bounded time and memory."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_OCTETS = 1024 * 1024
"""How much of a mail is read: header fields of mails have a few kilobytes, and mailboxes refuse large ones."""
_MOST_FIELDS = 2000
_MOST_LINES = 20_000
_MOST_VALUE = 64 * 1024
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_MAILBOX_LINE = re.compile(rb">?From [^:]")  # the line before a mail in an mbox file

_OTHER_FILES = (
    (b"\xd0\xcf\x11\xe0", "is a mail in Outlook's own format (.msg); save it as .eml"),
    (b"\xff\xfe", "is text in UTF-16; save it as it arrived, as .eml"),
    (b"\xfe\xff", "is text in UTF-16; save it as it arrived, as .eml"),
    (b"PK\x03\x04", "is an archive; unpack the .eml file in it"),
    (b"%PDF", "is a PDF document; save the mail itself, as .eml"),
    (b"<", "is a web page; save the mail itself, as .eml (in Gmail: Show original, Download original)"),
)


class NotAMail(ValueError):
    """The octets are no mail; the message goes on after the file's name, and says what to do."""


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """The header fields in their order, the topmost first: names in lower case, values unfolded."""

    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of a name, the topmost first."""
        return [value for one, value in self.fields if one == name]

    def first(self, name: str) -> str | None:
        """Return the topmost value, or None."""
        return next(iter(self.all(name)), None)


def read(octets: bytes) -> MailHeaders:
    """Return the header fields of a mail, up to its first empty line. Raises `NotAMail`."""
    start = octets[:MOST_OCTETS].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if not start.strip():
        raise NotAMail("is empty")
    fields: list[tuple[str, list[bytes]]] = []
    for number, line in enumerate(re.split(rb"\r\n|\n|\r", start, maxsplit=_MOST_LINES)):
        if not line.strip() or len(fields) > _MOST_FIELDS:
            break
        if line[:1] in b" \t" and fields:
            fields[-1][1].append(line)
        elif match := _FIELD.fullmatch(line):
            fields.append((match[1].decode("ascii").lower(), [match[2]]))
        elif number or not _MAILBOX_LINE.match(line):
            break
    if not {"from", "received", "date", "message-id", "delivered-to", "return-path"} & {name for name, _ in fields}:
        raise NotAMail(_what_else(start))
    return MailHeaders(tuple((name, _value(lines)) for name, lines in fields))


def _what_else(start: bytes) -> str:
    head = start.lstrip()
    return next(
        (what for magic, what in _OTHER_FILES if head.startswith(magic)),
        "holds no header of a mail; save it whole, as .eml",
    )


def _value(lines: Sequence[bytes]) -> str:
    return b" ".join(line.strip() for line in lines)[:_MOST_VALUE].decode("utf-8", "replace")
