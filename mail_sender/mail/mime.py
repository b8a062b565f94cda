"""The bytes of a mail (RFC 2045 to 2049, 5322): headers, then text and HTML as alternatives, text first.

The bytes are written here and not by `email.message`: its generators differ between Python versions, and they take
longer than the delivery. The same input must give the same bytes. Quoted-printable comes from the standard library.
A part whose lines allow it is sent as 7bit, so that its links are not broken; any other part as quoted-printable.
Boundaries are made from a seed. The finished mail is parsed again, and must have exactly the headers that were set.
"""

import base64
import binascii
import hashlib
from email import policy
from email.parser import BytesParser

from mail_sender.templating.logo import Logo

LOGO = "cid:logo@mail"
"""The link by which HTML shows the brand's logo (RFC 2392)."""
LONGEST_LINE = 998  # octets, without CRLF (RFC 5322, section 2.1.1)

HEADERS = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding")
"""The structural headers of a mail, in their order; a mail of several parts has the encoding in each part."""


class ForeignHeader(Exception):
    """The finished mail, parsed again, has other headers than were set."""


def compose(
    headers: list[tuple[str, str]], text: str, html: str | None, *, seed: str, logo: Logo | None = None
) -> bytes:
    """Return the mail, with lines that end in CRLF; the values of `headers` are encoded and folded already.

    Without HTML, the mail is the text alone. The HTML shows the logo by the link `LOGO`.
    Raises `ForeignHeader` if the parsed result has other headers than these and the structural ones.
    """
    part = _leaf("plain", text) if html is None else _alternatives(text, html, logo, seed)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers) + "MIME-Version: 1.0\r\n"
    content = head.encode() + part
    structure = HEADERS if html is None else HEADERS[:2]
    parsed = BytesParser(policy=policy.compat32).parsebytes(content, headersonly=True)
    if parsed.keys() != [*(name for name, _ in headers), *structure]:
        raise ForeignHeader
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


def _leaf(subtype: str, body: str) -> bytes:
    lines = body.splitlines()
    plain = body.isascii() and all(len(line) <= LONGEST_LINE for line in lines)
    charset, encoding = ("us-ascii", "7bit") if plain else ("utf-8", "quoted-printable")
    octets = "\r\n".join([*lines, ""]).encode(charset)
    if not plain:
        octets = binascii.b2a_qp(octets, istext=True)
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + octets
