"""A private CA, and a leaf certificate of its own for `localhost`.

Kanidm's own client refuses a CA that is itself the server's certificate, so there are always two. Both carry the
extensions that Python 3.13 insists on (RFC 5280 sections 4.2.1.1 to 4.2.1.3). The CA is made once and kept; the leaf
is made anew when it nears its end, since the CA's key lies beside it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server_stub.directory import Directory, corrupt, write_atomically
from server_stub.errors import StubError

CA_DAYS = 3650
LEAF_DAYS = 397
RENEW_DAYS = 30
NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def belong_together(self) -> bool:
        """Whether the certificate is that of the key."""
        return self.certificate.public_key() == self.key.public_key()


@dataclass(frozen=True)
class ServerCertificate:
    """The files that a TLS server loads."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a server context, TLS 1.2 and newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain, self.key)
        return context


def ensure(directory: Directory, now: dt.datetime) -> ServerCertificate:
    """Return the server's certificate, making the CA and the leaf where they lack or near their end.

    Raises StubError where a file that is there cannot be read as what it should be.
    """
    ca_key, chain, key = (directory.tls / name for name in ("ca-key.pem", "server.pem", "server-key.pem"))
    ca = _load_ca(directory.ca, ca_key) or _store(_make_ca(now), directory.ca, ca_key)
    leaf = _load(chain, key)
    if leaf is None or not _lasts(leaf, ca, now):
        _store(_make_leaf(ca, now), chain, key)
    return ServerCertificate(chain, key)


def _load_ca(certificate: Path, key: Path) -> Pair | None:
    # A key alone is what a stop in the first start left; a certificate alone may be trusted by somebody already.
    if certificate.exists() and not key.exists():
        raise StubError(
            f"The key {key} of the CA {certificate} is missing: restore it, or move the certificate away "
            "and a new CA is made at the next start."
        )
    ca = _load(certificate, key)
    if ca and not ca.belong_together:
        raise corrupt(certificate, f"{key} is the key of another")
    return ca


def _lasts(leaf: Pair, ca: Pair, now: dt.datetime) -> bool:
    issued_here = leaf.certificate.issuer == ca.certificate.subject
    # A stop between the two files of a renewal leaves a new key beside an old certificate.
    sound = issued_here and leaf.belong_together
    return sound and leaf.certificate.not_valid_after_utc - now > dt.timedelta(days=RENEW_DAYS)


def _load(certificate: Path, key: Path) -> Pair | None:
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
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    write_atomically(key, pair.key.private_bytes(serialization.Encoding.PEM, form, plain))
    write_atomically(certificate, pair.certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return pair


def _make_ca(now: dt.datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name keeps the CAs of two stubs apart in a person's trust store.
    name = _name(f"server-stub CA {x509.random_serial_number():x}"[:30])
    builder = (
        _builder(name, key, now, CA_DAYS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def _make_leaf(ca: Pair, now: dt.datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = (
        _builder(_name("localhost"), key, now, LEAF_DAYS)
        .issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(authority, critical=False)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
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
