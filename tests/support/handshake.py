"""A TLS handshake between two contexts in memory, and certificates of every kind of badness."""

import datetime as dt
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> ssl.SSLError | None:
    """Shake hands, and read once afterwards; return what the client raised, or None."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    steps: list[Callable[[], object]] = [ours.do_handshake, theirs.do_handshake] * 3
    for step in [*steps, lambda: ours.read(1)]:
        try:
            step()  # type: ignore[no-untyped-call]  # typeshed has no types for a part of it
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            if step != theirs.do_handshake:
                return error
    return None


def connected(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands; return both ends."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for step in [ours.do_handshake, theirs.do_handshake] * 3:
        with suppress(ssl.SSLWantReadError):
            step()
    return ours, theirs


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    return context


def weak_certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate with an RSA key of 1024 bits, and the key, into one file."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - a key that is too short, to be refused
    return _self_signed(folder / "weak.pem", name, key)


def self_signed(folder: Path, name: str, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    """Write a self-signed certificate that is no CA, and its key, into one file."""
    return _self_signed(folder / "self-signed.pem", name, key or ec.generate_private_key(ec.SECP256R1()))


def server_of(pem: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate and a key from one file, however weak they are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(pem)
    return context


def _self_signed(path: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path
