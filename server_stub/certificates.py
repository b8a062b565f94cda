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
from server_stub.issuer import Issuer, Leaf, key_usage

CA_DAYS = 3650
LEAF_DAYS = 397
RENEW_DAYS = 30
A_DAY = dt.timedelta(days=1)  # by which a certificate begins early, for clocks that are late
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


def ensure(directory: Directory, now: dt.datetime, host: str = "localhost") -> ServerCertificate:
    """Return the server's certificate, making the CA and the leaf where they lack or near their end.

    The leaf is for localhost, and for `host` where that is something else.

    Raises StubError where a file that is there cannot be read as what it should be.
    """
    chain, key = directory.server_certificate
    ca = _load_ca(directory.ca, directory.ca_key) or _store(_make_ca(now), directory.ca, directory.ca_key)
    leaf = _load(chain, key)
    names = tuple(dict.fromkeys((*NAMES, _name(host))))
    if leaf is None or not (_lasts(leaf, ca, now) and _is_for(leaf.certificate, names)):
        ends = now + dt.timedelta(days=LEAF_DAYS)
        wanted = Leaf("localhost", names, ExtendedKeyUsageOID.SERVER_AUTH, now - A_DAY, ends)
        Issuer(ca.certificate, ca.key).issue(wanted, chain, key)
    return ServerCertificate(chain, key)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_for(certificate: x509.Certificate, names: tuple[x509.GeneralName, ...]) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return set(names) <= set(found)


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
    text = f"server-stub CA {x509.random_serial_number():x}"[:30]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - A_DAY)
        .not_valid_after(now + dt.timedelta(days=CA_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)
