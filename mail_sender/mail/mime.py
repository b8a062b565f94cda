"""The bytes of a mail (RFC 2045 to 2049, 5322): headers, then text and HTML as alternatives, text first.

Written out here rather than by `email.message`, whose generators differ between Python versions and cost more
than the delivery: the same input must give the same bytes. Encoded words and quoted-printable come from the
standard library. A part goes as 7bit where its lines allow it, so that its links stand there unbroken, else as
quoted-printable; the boundary is made from a seed. The finished mail is parsed again, and must have exactly the
headers that were set.
"""

import base64
import binascii
import hashlib
from email import policy
from email.header import Header
from email.parser import BytesParser
from email.utils import quote
from functools import lru_cache

from mail_sender.templating.brand import Logo

LOGO = "cid:logo@mail"
"""The link by which HTML shows the brand's logo (RFC 2392)."""
LONGEST_LINE = 998  # octets, without CRLF (RFC 5322, section 2.1.1)

_VERSION = ("MIME-Version", "1.0")
_SPECIALS = frozenset('()<>[]:;@\\,."')


class ForeignHeader(Exception):
    """The finished mail has other headers than were set."""


def compose(
    headers: list[tuple[str, str]], text: str, html: str | None, *, seed: str, logo: Logo | None = None
) -> bytes:
    """Return the mail; header values are encoded and folded already, lines end in CRLF.

    Without HTML it is the text alone; the HTML shows the logo by the link `LOGO`.
    Raises `ForeignHeader` where the result, parsed, has other headers than these.
    """
    part = _leaf("plain", text) if html is None else _alternatives(text, html, logo, seed)
    content = b"".join(f"{name}: {value}\r\n".encode() for name, value in [*headers, _VERSION]) + part
    names = [*(name for name, _ in [*headers, _VERSION]), "Content-Type"]
    _look_back(content, [*names, "Content-Transfer-Encoding"] if html is None else names)
    return content


def _alternatives(text: str, html: str, logo: Logo | None, seed: str) -> bytes:
    rich = _leaf("html", html)
    if logo is not None:
        rich = _multipart("related", [rich, _image(logo)], f"{seed}/related")
    return _multipart("alternative", [_leaf("plain", text), rich], seed)


def _multipart(subtype: str, parts: list[bytes], seed: str) -> bytes:
    boundary = "=_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'.encode()
    inner = b"".join(f"\r\n--{boundary}\r\n".encode() + part for part in parts)
    return head + inner + f"\r\n--{boundary}--\r\n".encode()


def _image(logo: Logo) -> bytes:
    head = (
        f"Content-Type: image/{logo.type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{LOGO.removeprefix('cid:')}>\r\n"
        f'Content-Disposition: inline; filename="logo.{logo.type}"\r\n\r\n'
    )
    return head.encode() + base64.encodebytes(logo.content).replace(b"\n", b"\r\n")


@lru_cache(maxsize=256)  # names and subjects return with every mail, and cost as much as all its templates
def words(header: str, text: str) -> str:
    """Return unstructured text as a header's value: encoded words (RFC 2047) where it is not ASCII, or very long.

    What looks like an encoded word is encoded too, so that it is read as it stands.
    """
    if text.isascii() and len(text) < LONGEST_LINE - 98 and "=?" not in text:
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


def _look_back(content: bytes, names: list[str]) -> None:
    parsed = BytesParser(policy=policy.compat32).parsebytes(content, headersonly=True)
    if parsed.keys() != names:
        raise ForeignHeader
