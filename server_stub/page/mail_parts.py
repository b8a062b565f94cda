"""What is in a mail: its headers, its text, its HTML and the pictures that the HTML refers to.

Mails are written by others and may be broken in every way. So headers are decoded one by one (the structured parsers
of the standard library fail on hostile ones), bodies are decoded with replacement characters, and a part that cannot
be read at all is left out.
"""

from __future__ import annotations

import base64
import contextlib
import email
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

PICTURES = {"image/gif", "image/jpeg", "image/png", "image/webp"}
UUID = r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
# Our own Message-ID may carry a mark for the recipient after the id; Kanidm's sender has no Message-ID but a line.
IN_MESSAGE_ID = re.compile(rf"\s*<{UUID}[.@]")
IN_TEXT = re.compile(rf"^msg_id: *{UUID}\s*$", re.MULTILINE)
LONGEST_HEAD, LONGEST_VALUE = 256 * 1024, 16 * 1024  # octets of all headers, characters of one that is decoded
DELIMITER, MOST_PARTS = re.compile(rb"^--", re.MULTILINE), 1000
BROKEN = (AttributeError, HeaderParseError, KeyError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True)
class Parts:
    """The parts of a mail, ready to be shown as text. `html` and `text` are None if the mail has none."""

    headers: list[tuple[str, str]]
    text: str | None
    html: str | None
    pictures: dict[str, str]

    def header(self, name: str) -> str:
        """Return the first header of that name, empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def entry(self) -> str | None:
        """The id of the queue entry that this mail was made of, as the mail says."""
        found = IN_MESSAGE_ID.match(self.header("message-id")) or IN_TEXT.search(self.text or "")
        return found[1].lower() if found else None


def parse(content: bytes) -> Parts:
    """Take a mail apart; never raises, whatever the bytes are."""
    try:
        message = email.message_from_bytes(_bounded(content))
        leaves = [part for part in message.walk() if not part.is_multipart()]
    except BROKEN:
        return Parts([], content.decode(errors="replace"), None, {})
    return Parts(
        headers=[(name, _decoded(value)) for name, value in message.raw_items()],
        text=_first(leaves, "text/plain"),
        html=_first(leaves, "text/html"),
        pictures=dict(_pictures(leaves)),
    )


def _bounded(content: bytes) -> bytes:
    """Return as much of a mail as has no more than so many parts, and a head of no more than so many octets.

    What a program of the standard library does with the rest takes minutes.
    """
    head, empty, body = content.partition(b"\r\n\r\n" if b"\r\n" in content[:LONGEST_HEAD] else b"\n\n")
    if len(head) > LONGEST_HEAD:
        head = head[: head.rfind(b"\n", 0, LONGEST_HEAD)].rstrip(b"\r")
    places = itertools.islice(DELIMITER.finditer(body), MOST_PARTS, None)
    end = next((place.start() for place in places), len(body))
    return head + empty + body[:end]


def _decoded(value: object) -> str:
    if len(str(value)) > LONGEST_VALUE:
        return str(value)
    try:
        return str(make_header(decode_header(str(value))))
    except BROKEN:
        return str(value)


def _first(leaves: list[Message], kind: str) -> str | None:
    bodies = (part for part in leaves if part.get_content_type() == kind)
    inline = (part for part in bodies if part.get_content_disposition() != "attachment")
    part = next(inline, None)
    return None if part is None else _text(part)


def _text(part: Message) -> str:
    content = _bytes(part)
    try:
        return content.decode(str(part.get_content_charset() or "utf-8"), "replace")
    except BROKEN:
        return content.decode(errors="replace")


def _bytes(part: Message) -> bytes:
    with contextlib.suppress(*BROKEN):
        content = part.get_payload(decode=True)
        return content if isinstance(content, bytes) else b""
    return b""


def _pictures(leaves: list[Message]) -> Iterator[tuple[str, str]]:
    for part in leaves:
        kind, name = part.get_content_type(), str(part.get("content-id", "")).strip().strip("<>")
        if kind in PICTURES and name:
            yield name, f"data:{kind};base64,{base64.b64encode(_bytes(part)).decode()}"
