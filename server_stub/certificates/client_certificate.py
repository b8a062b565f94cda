"""DIR/client.pem and DIR/client-key.pem: what a sender shows to a relay that asks for a client certificate."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from server_stub.certificates.authority import DAYS, ONE_DAY, Leaf, Pair, existing_ca
from server_stub.folder.directory import Directory

NAME = "mail-sender"


def ensure(directory: Directory, now: dt.datetime) -> None:
    """Make both files, unless they are there, of this CA, and good for a while. Raises StubError and OSError."""
    certificate, key = directory.client_certificate
    ca = existing_ca(directory)
    if key.exists() and _lasts(certificate.read_bytes() if certificate.exists() else b"", ca, now):
        return
    ends = now + dt.timedelta(days=DAYS)
    leaf = Leaf(NAME, (x509.DNSName(NAME),), ExtendedKeyUsageOID.CLIENT_AUTH, now - ONE_DAY, ends)
    ca.issue(leaf, certificate, key)


def _lasts(pem: bytes, ca: Pair, now: dt.datetime) -> bool:
    try:
        return ca.lasts(x509.load_pem_x509_certificate(pem), now)
    except ValueError:
        return False
