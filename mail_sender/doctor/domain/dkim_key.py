"""Reads a DKIM key as it stands in DNS (RFC 6376, section 3.6.1; RFC 8463 for Ed25519)."""

import base64
import binascii
import re
from dataclasses import dataclass

from mail_sender.doctor.domain.answer import quoted
from mail_sender.doctor.domain.tags import BadTags, tags

_ED25519_OCTETS = 32


class BadKey(ValueError):
    """No verifier can use what stands there; the message says why."""


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A public key: `bits` of an RSA modulus, or 256 for Ed25519. `is_testing` is the flag t=y.

    A revoked key has an empty p= and no bits.
    """

    algorithm: str
    bits: int
    is_testing: bool = False

    @property
    def is_revoked(self) -> bool:
        """Whether the key has been taken back (section 3.6.1, p=)."""
        return self.bits == 0


def is_key(text: str) -> bool:
    """Say whether a TXT record is meant to be a key: a wildcard record answers for every selector, too."""
    return (
        re.match(r"\s*v\s*=\s*DKIM1", text, re.IGNORECASE) is not None
        or re.search(r"(?:^|;)\s*p\s*=", text) is not None
    )


def parse(text: str) -> DkimKey:
    """Return the key that a TXT record holds. Raises `BadKey`."""
    try:
        found = tags(text)
    except BadTags as error:
        raise BadKey(str(error)) from None
    algorithm = found.get("k", "rsa").lower()
    if "v" in found and (found["v"] != "DKIM1" or next(iter(found)) != "v"):
        raise BadKey("v= must stand first, and be DKIM1")
    if "p" not in found:
        raise BadKey("it has no p=, which holds the key")
    if "h" in found and "sha256" not in _parts(found["h"]):
        raise BadKey(f"h={found['h']} leaves out sha256, the only hash that still counts (RFC 8301)")
    if "s" in found and not {"*", "email"} & set(_parts(found["s"])):
        raise BadKey(f"s={found['s']} says that it is not for mail")
    if algorithm not in {"rsa", "ed25519"}:
        raise BadKey(f"k={quoted(algorithm, 20)} is no algorithm of DKIM")
    data = _decoded(found["p"])
    bits = 0 if not data else _rsa_bits(data) if algorithm == "rsa" else _ed25519_bits(data)
    return DkimKey(algorithm, bits, "y" in _parts(found.get("t", "")))


def _parts(value: str) -> list[str]:
    return [part.strip().lower() for part in value.split(":")]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise BadKey("its p= is not base64: a part of it may be missing, or stand there twice") from None


def _ed25519_bits(data: bytes) -> int:
    if len(data) != _ED25519_OCTETS:
        raise BadKey(f"its p= has {len(data)} octets, and an Ed25519 key has {_ED25519_OCTETS}")
    return 256


_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03


def _rsa_bits(data: bytes) -> int:
    """Return the size of the modulus of a SubjectPublicKeyInfo (RFC 5280), or of a bare RSAPublicKey (RFC 8017)."""
    try:
        inner, _ = _element(data, _SEQUENCE)
        if inner[:1] == bytes([_SEQUENCE]):
            _, after = _element(inner, _SEQUENCE)
            bit_string, _ = _element(after, _BIT_STRING)
            inner, _ = _element(bit_string[1:], _SEQUENCE)
        modulus, _ = _element(inner, _INTEGER)
    except ValueError:
        raise BadKey("its p= holds no whole RSA key: a part of it may be missing") from None
    return int.from_bytes(modulus, "big").bit_length()


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the contents of the first DER element, and what follows it. Raises `ValueError`."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("another element")
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("cut off")
    return data[start : start + length], data[start + length :]
