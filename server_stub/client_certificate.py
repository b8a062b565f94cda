"""DIR/client.pem and DIR/client-key.pem: what a sender shows to a relay that asks who it is."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from server_stub.directory import Directory
from server_stub.issuer import Issuer, Leaf

NAME = "mail-sender"
DAYS, RENEW_DAYS = 397, 30


def ensure(directory: Directory, now: dt.datetime) -> None:
    """Make both files, unless they are there, of this CA, and good for a while. Raises StubError and OSError."""
    certificate, key = directory.client_certificate
    issuer = Issuer.of(directory)
    if key.exists() and _lasts(certificate.read_bytes() if certificate.exists() else b"", issuer, now):
        return
    begins, ends = now - dt.timedelta(days=1), now + dt.timedelta(days=DAYS)
    issuer.issue(Leaf(NAME, (x509.DNSName(NAME),), ExtendedKeyUsageOID.CLIENT_AUTH, begins, ends), certificate, key)


def _lasts(pem: bytes, issuer: Issuer, now: dt.datetime) -> bool:
    try:
        made = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return False
    return made.issuer == issuer.certificate.subject and made.not_valid_after_utc - now > dt.timedelta(
        days=RENEW_DAYS
    )
