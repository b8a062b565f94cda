"""The bytes of a mail (RFC 2045 to 2049, 5322): headers, then text and HTML as alternatives, text first.

The bytes are written here and not by `email.message`: its generators differ between Python versions, and they take
longer than the delivery. The same input must give the same bytes. Quoted-printable comes from the standard library.
A part whose lines allow it is sent as 7bit, so that its links are not broken; any other part as quoted-printable.
Boundaries are made from a seed. The finished header is read again, and must have exactly the headers that were set.
"""

import base64
import binascii
import hashlib
import re
from functools import lru_cache

from mail_sender.templating.logo import Logo

LOGO = "cid:logo@mail"
"""The link by which HTML shows the brand's logo (RFC 2392)."""
LONGEST_LINE = 998  # octets, without CRLF (RFC 5322, section 2.1.1)

HEADERS = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding")
"""The structural headers of a mail, in their order; a mail of several parts has the encoding in each part."""

_HEADER = re.compile(rb"([!-9;-~]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")  # RFC 5322, section 2.2


class ForeignHeader(Exception):
    """The finished mail has other headers than were set."""


class Lines:
    """Whole lines of a body, and their octets in both encodings; those that many mails have are encoded once."""

    __slots__ = ("_plain", "_quoted", "fit", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = self._quoted = b""  # until somebody asks
        self.fit = text.isascii() and (len(text) <= LONGEST_LINE or max(map(len, text.splitlines())) <= LONGEST_LINE)
        """Whether they can be sent as 7bit."""

    @property
    def plain(self) -> bytes:
        """The lines as they are; each ends in CRLF."""
        self._plain = self._plain or self._text.encode("ascii")
        return self._plain

    @property
    def quoted(self) -> bytes:
        """The lines as quoted-printable (RFC 2045, section 6.7)."""
        self._quoted = self._quoted or binascii.b2a_qp(self._text.encode(), istext=True)
        return self._quoted

    @property
    def _text(self) -> str:
        return "\r\n".join([*self.text.splitlines(), ""])


def compose(
    headers: list[tuple[str, str]],
    text: list[Lines],
    html: list[Lines] | None,
    *,
    seed: str,
    logo: Logo | None = None,
) -> bytes:
    """Return the mail, with lines that end in CRLF; the values of `headers` are encoded and folded already.

    Without HTML, the mail is the text alone. The HTML shows the logo by the link `LOGO`.
    Raises `ForeignHeader` if the result has other headers than these and the structural ones.
    """
    part = _leaf("plain", text) if html is None else _alternatives(text, html, logo, seed)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers) + "MIME-Version: 1.0\r\n"
    content = head.encode() + part
    structure = HEADERS if html is None else HEADERS[:2]
    if _names(content) != [*(name for name, _ in headers), *structure]:
        raise ForeignHeader
    return content


def _names(content: bytes) -> list[str]:
    """Return the names of a mail's headers. Raises `ForeignHeader` for a line that is no part of one."""
    head = content[: content.index(b"\r\n\r\n") + 2]
    names = _HEADER.findall(head)
    if _HEADER.sub(b"", head):
        raise ForeignHeader
    return [name.decode() for name in names]


def _alternatives(text: list[Lines], html: list[Lines], logo: Logo | None, seed: str) -> bytes:
    rich = _leaf("html", html)
    if logo is not None:
        rich = _multipart("related", [rich, _image(logo)], f"{seed}/related")
    return _multipart("alternative", [_leaf("plain", text), rich], seed)


def _multipart(subtype: str, parts: list[bytes], seed: str) -> bytes:
    boundary = "=_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'.encode()
    inner = b"".join(f"\r\n--{boundary}\r\n".encode() + part for part in parts)
    return head + inner + f"\r\n--{boundary}--\r\n".encode()


@lru_cache(maxsize=1)  # every mail of a configuration has the same one
def _image(logo: Logo) -> bytes:
    head = (
        f"Content-Type: image/{logo.type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{LOGO.removeprefix('cid:')}>\r\n"
        f'Content-Disposition: inline; filename="logo.{logo.type}"\r\n\r\n'
    )
    return head.encode() + base64.encodebytes(logo.content).replace(b"\n", b"\r\n")


def _leaf(subtype: str, body: list[Lines]) -> bytes:
    plain = all(lines.fit for lines in body)
    charset, encoding = ("us-ascii", "7bit") if plain else ("utf-8", "quoted-printable")
    octets = b"".join([lines.plain if plain else lines.quoted for lines in body])
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + octets
