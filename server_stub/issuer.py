"""The stub's CA at work: it signs leaf certificates, the server's own, one for clients, and one for bad days."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server_stub.directory import Directory, corrupt, write_atomically


@dataclass(frozen=True)
class Leaf:
    """What a certificate is to say; `usage` is its extended key usage (RFC 5280 section 4.2.1.12)."""

    common_name: str
    names: tuple[x509.GeneralName, ...]
    usage: x509.ObjectIdentifier
    begins: dt.datetime
    ends: dt.datetime


@dataclass(frozen=True)
class Issuer:
    """The CA's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def of(cls, directory: Directory) -> Self:
        """Read the CA of DIR, which has been made already. Raises StubError."""
        path = directory.ca_key
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
            certificate = x509.load_pem_x509_certificate(directory.ca.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise corrupt(path, "the CA cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise corrupt(path, "it is not an EC key")
        return cls(certificate, key)

    def issue(self, leaf: Leaf, certificate: Path, key: Path) -> None:
        """Sign a leaf with a key of its own and write both as PEM. Raises OSError."""
        private = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        write_atomically(key, pem)
        signed = self._signed(leaf, private.public_key())
        write_atomically(certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644)

    def _signed(self, leaf: Leaf, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)]))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(leaf.begins)
            .not_valid_after(leaf.ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.SubjectAlternativeName(leaf.names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([leaf.usage]), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key is for (RFC 5280 section 4.2.1.3): to sign certificates, or to show that it is there."""
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
