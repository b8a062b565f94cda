"""The stub's private CA: made once, kept in DIR, and the signer of every other certificate.

Kanidm's own client refuses a CA that is itself the server's certificate, so the server has a certificate of its own.
All carry the extensions that Python 3.13 insists on (RFC 5280 sections 4.2.1.1 to 4.2.1.3).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server_stub.errors import StubError
from server_stub.folder.directory import Directory
from server_stub.folder.files import corrupt, write_atomically

CA_DAYS = 3650
DAYS, RENEW_DAYS = 397, 30
"""How long other certificates last, and for how many days at the least one is good enough to be kept."""
ONE_DAY = dt.timedelta(days=1)  # by which a certificate begins early, for clocks that are late


@dataclass(frozen=True)
class Leaf:
    """What a certificate is to say; `usage` is its extended key usage (RFC 5280 section 4.2.1.12)."""

    common_name: str
    names: tuple[x509.GeneralName, ...]
    usage: x509.ObjectIdentifier
    begins: dt.datetime
    ends: dt.datetime


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def belong_together(self) -> bool:
        """Whether the certificate is that of the key."""
        return self.certificate.public_key() == self.key.public_key()

    def lasts(self, leaf: x509.Certificate, now: dt.datetime) -> bool:
        """Say whether this CA issued a certificate that is good for a while."""
        left = leaf.not_valid_after_utc - now
        return leaf.issuer == self.certificate.subject and left > dt.timedelta(days=RENEW_DAYS)

    def issue(self, leaf: Leaf, certificate: Path, key: Path) -> None:
        """As a CA, sign a leaf with a key of its own and write both as PEM. Raises OSError."""
        private = ec.generate_private_key(ec.SECP256R1())
        _store(Pair(self._signed(leaf, private.public_key()), private), certificate, key)

    def _signed(self, leaf: Leaf, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            _builder(leaf.common_name, self.certificate.subject, key)
            .not_valid_before(leaf.begins)
            .not_valid_after(leaf.ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(authority, critical=False)
            .add_extension(x509.SubjectAlternativeName(leaf.names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([leaf.usage]), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def ensure_ca(directory: Directory, now: dt.datetime) -> Pair:
    """Return the CA of DIR, making it if there is none. Raises StubError if its files are damaged."""
    return _load_ca(directory) or _store(_make_ca(now), directory.ca, directory.ca_key)


def existing_ca(directory: Directory) -> Pair:
    """Return the CA that DIR had at the start. Raises StubError if its files are damaged or gone."""
    if ca := _load_ca(directory):
        return ca
    raise corrupt(directory.ca_key, "the CA cannot be read")


def _load_ca(directory: Directory) -> Pair | None:
    certificate, key = directory.ca, directory.ca_key
    # A key alone is what a stop in the first start left; a certificate alone may be trusted by somebody already.
    if certificate.exists() and not key.exists():
        raise StubError(
            f"The key {key} of the CA {certificate} is missing: restore it, or move the certificate away: "
            "the next start then makes a new CA."
        )
    ca = load_pair(certificate, key)
    if ca and not ca.belong_together:
        raise corrupt(certificate, f"{key} is the key of another certificate")
    return ca


def load_pair(certificate: Path, key: Path) -> Pair | None:
    """Read both PEM files, None if one is missing. Raises StubError if one is damaged."""
    if not (certificate.exists() and key.exists()):
        return None
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise corrupt(key, "it is not a PEM private key") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise corrupt(key, "it is not an EC key")
    try:
        return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()), private)
    except ValueError as error:
        raise corrupt(certificate, "it is not a PEM certificate") from error


def _store(pair: Pair, certificate: Path, key: Path) -> Pair:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    write_atomically(key, pair.key.private_bytes(serialization.Encoding.PEM, form, plain))
    write_atomically(certificate, pair.certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return pair


def _make_ca(now: dt.datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name keeps the CAs of two stubs apart in a person's trust store.
    name = f"server-stub CA {x509.random_serial_number():x}"[:30]
    builder = (
        _builder(name, _named(name), key.public_key())
        .not_valid_before(now - ONE_DAY)
        .not_valid_after(now + dt.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def _builder(subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key may do (RFC 5280 section 4.2.1.3): sign certificates, or prove who its owner is."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
