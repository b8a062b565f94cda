"""The bytes of a mail (RFC 2045 to 2049, 5322): headers, then text and HTML as alternatives, text first.

Written out here rather than by `email.message`, whose generators differ between Python versions and cost more
than the delivery: the same input must give the same bytes. Encoded words and quoted-printable come from the
standard library. A part goes as 7bit where its lines allow it, so that its links stand there unbroken, else as
quoted-printable; the boundary is made from a seed. The finished mail is parsed again, and must have exactly the
headers that were set.
"""

import binascii
import hashlib
from email import policy
from email.header import Header
from email.parser import BytesParser
from email.utils import quote

LONGEST_LINE = 998  # octets, without CRLF (RFC 5322, section 2.1.1)

_SPECIALS = frozenset('()<>[]:;@\\,."')


class ForeignHeader(Exception):
    """The finished mail has other headers than were set."""


def compose(headers: list[tuple[str, str]], text: str, html: str, *, seed: str) -> bytes:
    """Return the mail; header values are encoded and folded already, lines end in CRLF.

    Raises `ForeignHeader` where the result, parsed, has other headers than these.
    """
    boundary = "=_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
    structure = [("MIME-Version", "1.0"), ("Content-Type", f'multipart/alternative; boundary="{boundary}"')]
    everything = [*headers, *structure]
    content = b"".join(
        [
            *(f"{name}: {value}\r\n".encode("ascii") for name, value in everything),
            *(f"\r\n--{boundary}\r\n".encode() + _leaf(subtype, body) for subtype, body in _alternatives(text, html)),
            f"\r\n--{boundary}--\r\n".encode(),
        ]
    )
    _look_back(content, everything)
    return content


def _alternatives(text: str, html: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("plain", text), ("html", html)


def words(header: str, text: str) -> str:
    """Return unstructured text as a header's value: encoded words (RFC 2047) where it is not ASCII, or very long."""
    if text.isascii() and len(text) < LONGEST_LINE - 98:
        return text
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def mailbox(header: str, name: str, address: str) -> str:
    """Return `name <address>` as a header's value (RFC 5322, section 3.4)."""
    encoded = words(header, name)
    phrase = f'"{quote(name)}"' if encoded == name and _SPECIALS & set(name) else encoded
    return f"{phrase} <{address}>"


def _leaf(subtype: str, body: str) -> bytes:
    lines = body.splitlines()
    plain = body.isascii() and all(len(line) <= LONGEST_LINE for line in lines)
    charset, encoding = ("us-ascii", "7bit") if plain else ("utf-8", "quoted-printable")
    octets = "\r\n".join([*lines, ""]).encode(charset)
    if not plain:
        octets = binascii.b2a_qp(octets, istext=True)
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + octets


def _look_back(content: bytes, headers: list[tuple[str, str]]) -> None:
    parsed = BytesParser(policy=policy.compat32).parsebytes(content, headersonly=True)
    if parsed.keys() != [name for name, _ in headers]:
        raise ForeignHeader
