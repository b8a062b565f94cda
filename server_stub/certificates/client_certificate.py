"""DIR/client.pem and DIR/client-key.pem: what a sender shows to a relay that asks for a client certificate."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from server_stub.certificates.authority import ONE_DAY, Leaf, existing_ca
from server_stub.folder.directory import Directory

NAME = "mail-sender"
DAYS, RENEW_DAYS = 397, 30


def ensure(directory: Directory, now: dt.datetime) -> None:
    """Make both files, unless they are there, of this CA, and good for a while. Raises StubError and OSError."""
    certificate, key = directory.client_certificate
    ca = existing_ca(directory)
    if key.exists() and _lasts(certificate.read_bytes() if certificate.exists() else b"", ca.certificate, now):
        return
    ends = now + dt.timedelta(days=DAYS)
    leaf = Leaf(NAME, (x509.DNSName(NAME),), ExtendedKeyUsageOID.CLIENT_AUTH, now - ONE_DAY, ends)
    ca.issue(leaf, certificate, key)


def _lasts(pem: bytes, ca: x509.Certificate, now: dt.datetime) -> bool:
    try:
        made = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return False
    return made.issuer == ca.subject and made.not_valid_after_utc - now > dt.timedelta(days=RENEW_DAYS)
