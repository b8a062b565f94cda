"""The SHA-256 fingerprints of a certificate: of all of it, and of its public key alone.

The key's is the one that HPKP took (RFC 7469, section 2.4): of the SubjectPublicKeyInfo in DER (RFC 5280, section
4.1). It stays the same where a certificate is renewed with the same key. Python's `ssl` gives a certificate only as a
whole, so the key is cut out of it here.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_SHA256 = 32  # octets
_NAME = re.compile(r'(?:pin-)?sha-?256(?: fingerprint)?\s*(?:=|:|//?)\s*"?', re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{2}(?::?[0-9a-f]{2})*", re.IGNORECASE)
_VERSION = 0xA0  # [0] EXPLICIT
_BEFORE_KEY = 5  # serialNumber, signature, issuer, validity, subject


class BadFingerprint(ValueError):
    """The text is no SHA-256 fingerprint; the message says why."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Those of one certificate, as 64 hexadecimal digits in lower case; `key` is empty if no key can be found."""

    certificate: str
    key: str


def of(der: bytes) -> Fingerprints:
    """Return those of a certificate in DER."""
    try:
        key = hashlib.sha256(public_key(der)).hexdigest()
    except ValueError:
        key = ""
    return Fingerprints(hashlib.sha256(der).hexdigest(), key)


def parse(text: str) -> str:
    """Return a fingerprint as 64 hexadecimal digits in lower case, from the forms in which programs print it.

    That is hexadecimal with or without colons (`openssl x509 -fingerprint`, `sha256sum`), or base64 (HPKP, curl),
    with or without the name of the hash before it. Raises `BadFingerprint`.
    """
    bare = _NAME.sub("", text.strip(), count=1).rstrip('"')
    if _HEX.fullmatch(bare):  # base64 of 32 octets has 43 digits, and this an even number
        octets = bytes.fromhex(bare.replace(":", ""))
    else:
        try:
            octets = base64.b64decode(bare.rstrip("=") + "=" * (-len(bare.rstrip("=")) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise BadFingerprint("it is neither hexadecimal nor base64") from None
    if len(octets) != _SHA256:
        raise BadFingerprint(f"it has {len(octets)} octets, and SHA-256 has {_SHA256}")
    return octets.hex()


def public_key(der: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate, both in DER. Raises `ValueError` if it has none."""
    try:
        at, _ = _content(der, _content(der, 0)[0])  # into Certificate, and there into TBSCertificate
        if der[at] == _VERSION:
            _, at = _content(der, at)
        for _ in range(_BEFORE_KEY):
            _, at = _content(der, at)
        return der[at : _content(der, at)[1]]
    except IndexError:
        raise ValueError("it ends too early") from None


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at a place begins and ends (X.690, section 8.1.3)."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin])
    if begin + length > len(der):
        raise ValueError("it ends too early")
    return begin, begin + length
