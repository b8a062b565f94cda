"""Fingerprints are those that others compute, and are read in the forms in which others print them."""

import base64
import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from mail_sender.tls import fingerprint
from mail_sender.tls.fingerprint import BadFingerprint, Fingerprints, parse, public_key

KEYS: dict[str, CertificateIssuerPrivateKeyTypes] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "EC": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
NOW = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
DIGEST = hashlib.sha256(b"a certificate").digest()
HEX, BASE64 = DIGEST.hex(), base64.b64encode(DIGEST).decode()


def certificate(kind: str, name: str = "relay.example", serial: int = 1, alternatives: int = 1) -> bytes:
    """Return a self-signed certificate in DER."""
    key = KEYS[kind]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(f"{number}.relay.example") for number in range(alternatives)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), serial).add_extension(names, critical=False)
    dated = builder.not_valid_before(NOW).not_valid_after(NOW + dt.timedelta(days=1))
    made = dated.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


def key_of(kind: str) -> bytes:
    """Return a public key as cryptography writes it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return KEYS[kind].public_key().public_bytes(serialization.Encoding.DER, form)


@given(
    kind=st.sampled_from(sorted(KEYS)),
    name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=16),
    serial=st.integers(1, 2**159 - 1),
    alternatives=st.sampled_from([1, 3, 30]),
)
@example(kind="RSA", name="relay.example", serial=1, alternatives=4000)
def test_the_public_key_is_the_one_that_cryptography_finds(
    kind: str, name: str, serial: int, alternatives: int
) -> None:
    """Whatever stands before and behind it, with lengths of one octet to four."""
    assert public_key(certificate(kind, name, serial, alternatives)) == key_of(kind)


def test_a_certificate_of_version_1_has_its_key_one_place_earlier() -> None:
    """It does not say its version (RFC 5280, section 4.1.2.1)."""
    whole = certificate("EC")
    begin = whole.index(bytes.fromhex("a003020102"))  # the version, the first in TBSCertificate
    rest = whole[begin + 5 :]
    inner = b"\x30\x82" + len(rest).to_bytes(2) + rest
    assert public_key(b"\x30\x82" + len(inner).to_bytes(2) + inner) == key_of("EC")


@given(st.binary(max_size=64), st.integers(0, 300))
def test_what_is_no_certificate_has_no_key(noise: bytes, length: int) -> None:
    """Noise, and a certificate that is cut off before its key ends, raise nothing but `ValueError`."""
    for octets in (noise, certificate("EC")[: min(length, 60)] + noise):
        try:
            public_key(octets)
        except ValueError:
            assert fingerprint.of(octets) == Fingerprints(hashlib.sha256(octets).hexdigest(), "")


def test_fingerprints_are_of_the_certificate_and_of_its_key() -> None:
    """As `sha256sum` prints them for both in DER."""
    whole = certificate("RSA")
    expected = hashlib.sha256(whole).hexdigest(), hashlib.sha256(key_of("RSA")).hexdigest()
    assert fingerprint.of(whole) == Fingerprints(*expected)


COLONS = ":".join(HEX[at : at + 2] for at in range(0, 64, 2))
FORMS = [
    HEX, HEX.upper(), COLONS, COLONS.upper(), f" {HEX}\n", BASE64, BASE64.rstrip("="), f"sha256/{BASE64}",
    f"sha256//{BASE64}", f"SHA256:{BASE64.rstrip('=')}", f'pin-sha256="{BASE64}"',
    f"sha256 Fingerprint={COLONS.upper()}", f"SHA256 Fingerprint={COLONS.upper()}", f"sha-256:{HEX}",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_fingerprint_is_read_in_the_forms_in_which_programs_print_it(form: str) -> None:
    """Of openssl, sha256sum, curl, ssh and HPKP."""
    assert parse(form) == HEX


@given(st.binary(min_size=32, max_size=32))
def test_every_fingerprint_is_the_same_in_hexadecimal_and_base64(octets: bytes) -> None:
    """None is taken for the other."""
    assert parse(octets.hex()) == parse(base64.b64encode(octets).decode()) == octets.hex()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 octets"),
        (HEX[:40], "20 octets"),  # SHA-1
        (HEX[:-1], "47 octets"),
        (f"{HEX}00", "33 octets"),
        (COLONS[:-1], "neither"),
        ("/etc/ssl/relay.pem", "neither"),
        ("-----BEGIN CERTIFICATE-----", "neither"),
        ("ü" * 43, "neither"),
    ],
)
def test_what_is_no_sha256_is_refused(text: str, said: str) -> None:
    """With how it differs."""
    with pytest.raises(BadFingerprint, match=said):
        parse(text)
