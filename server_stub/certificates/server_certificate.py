"""The certificate of the API and the relay, for `localhost` and the host that the stub listens on.

It is made anew when it expires soon or does not fit; this is possible because the CA's key is kept beside it. The
relay shows a second one, which expired yesterday, if a rule says so.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from server_stub.certificates.authority import DAYS, ONE_DAY, Leaf, Pair, ensure_ca, existing_ca, load_pair
from server_stub.folder.directory import Directory

NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


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
    """Return the certificate for localhost and `host`; make it, and the CA, where missing, damaged in part or old.

    Raises StubError if a file that is there cannot be read as what it should be.
    """
    ca = ensure_ca(directory, now)
    chain, key = directory.server_certificate
    leaf = load_pair(chain, key)
    names = tuple(dict.fromkeys((*NAMES, _name(host))))
    # A stop between the two files of a renewal leaves a new key beside an old certificate.
    sound = leaf is not None and leaf.belong_together and ca.lasts(leaf.certificate, now)
    if leaf is None or not (sound and _is_for(leaf.certificate, names)):
        _issue(ca, names, now + dt.timedelta(days=DAYS), now - ONE_DAY, (chain, key))
    return ServerCertificate(chain, key)


def make_expired(directory: Directory, now: dt.datetime) -> ServerCertificate:
    """Make and return a certificate that ended a day before `now`. Raises StubError and OSError."""
    chain, key = directory.expired_certificate
    ends = now - ONE_DAY
    _issue(existing_ca(directory), NAMES, ends, ends - dt.timedelta(days=90), (chain, key))
    return ServerCertificate(chain, key)


def _issue(
    ca: Pair, names: tuple[x509.GeneralName, ...], ends: dt.datetime, begins: dt.datetime, files: tuple[Path, Path]
) -> None:
    ca.issue(Leaf("localhost", names, ExtendedKeyUsageOID.SERVER_AUTH, begins, ends), *files)


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
