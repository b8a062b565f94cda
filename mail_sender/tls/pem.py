"""The certificates and keys of a PEM file (RFC 7468), whatever stands around them.

OpenSSL and Python want ASCII, or each border at the start of its line. Files that people have hold names with umlauts
in their comments, a byte order mark, CRLF, UTF-16 from a Windows shell, or the indentation of the YAML around them.
"""

import base64
import codecs
import re
import stat
from pathlib import Path

LARGEST = 16 * 1024 * 1024
"""Octets of a file, at most; the roots of a whole system have half a megabyte."""

_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>(?:(?!-----).)*)-----END (?P=label)-----", re.DOTALL
)
_CERTIFICATE = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


class BadPem(ValueError):
    """A file holds no usable certificate or key; the message says what it lacks, `advice` what mends it, if known."""

    def __init__(self, found: str, advice: str = "") -> None:
        super().__init__(found)
        self.advice = advice


def certificates(path: Path) -> list[bytes]:
    """Return the certificates of a file in DER, at least one. Raises `BadPem`, or `OSError` if it cannot be read."""
    bodies = [match["body"] for match in _blocks(path) if match["label"] in _CERTIFICATE]
    if not bodies:
        raise _none("certificate", path)
    try:
        return [base64.b64decode(b"".join(body.split()), validate=True) for body in bodies]
    except ValueError:
        raise BadPem("holds a PEM certificate that cannot be read") from None


def private_keys(path: Path) -> list[bytes]:
    """Return the private keys of a file in PEM, at least one. Raises `BadPem`, or `OSError` if it cannot be read."""
    keys = [match[0] for match in _blocks(path) if match["label"].endswith(b"PRIVATE KEY")]
    if not keys:
        raise _none("private key", path)
    return [b"\n".join(line.strip() for line in key.splitlines()) + b"\n" for key in keys]


def _none(what: str, path: Path) -> BadPem:
    """Return the fault of a file without `what`, and say what it holds in its place, where that can be told."""
    octets, lacks = _octets(path), f"holds no PEM {what}"
    if labels := sorted({match["label"].decode() for match in _blocks(path)}):
        return BadPem(f"{lacks}, but {' and '.join(labels)}", f"name a file that holds a {what}")
    if octets.startswith(b"\x30") and not octets.isascii():  # a sequence in DER
        return BadPem(f"{lacks}: it is binary", "convert it with `openssl x509 -inform der` or `openssl pkcs12`")
    if b"-----BEGIN " in octets:
        return BadPem(f"{lacks}: a block begins, and does not end", "copy the whole file again")
    return BadPem(lacks)


def _blocks(path: Path) -> list[re.Match[bytes]]:
    octets = _octets(path)
    if octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        octets = octets.decode("utf-16", errors="replace").encode("ascii", errors="replace")
    return list(_BLOCK.finditer(octets))


def _octets(path: Path) -> bytes:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise BadPem("is not a regular file")  # a pipe or a device may never end
    if found.st_size > LARGEST:
        raise BadPem(f"is larger than {LARGEST // 2**20} MiB")
    return path.read_bytes()
