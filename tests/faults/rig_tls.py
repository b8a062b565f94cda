"""The certificates of a campaign: one CA, and a server's context for each way in which one can be wrong."""

import datetime as dt
import ssl
import warnings
from functools import cached_property
from pathlib import Path

import trustme

from tests.support.certificates import Authority


class Certificates:
    """A CA in a folder, and contexts made when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority.make(folder)
        self._stranger = trustme.CA(organization_name="somebody else")

    @property
    def ca(self) -> Path:
        """The PEM file that a client trusts."""
        return self._authority.pem

    @cached_property
    def good(self) -> ssl.SSLContext:
        """Return the context of a relay in order."""
        return self._authority.server()

    @cached_property
    def tls12(self) -> ssl.SSLContext:
        """Return the context of one that speaks TLS 1.2 at most."""
        context = self._authority.server()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    @cached_property
    def tls11(self) -> ssl.SSLContext:
        """Return the context of one that speaks TLS 1.1 alone."""
        context = self._authority.server()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    @cached_property
    def expired(self) -> ssl.SSLContext:
        """Return a context whose certificate ran out yesterday."""
        return self._authority.server(days=-1)

    @cached_property
    def not_yet_valid(self) -> ssl.SSLContext:
        """Return a context whose certificate begins tomorrow."""
        now = dt.datetime.now(dt.UTC)
        leaf = self._authority.authority.issue_cert(
            "localhost", not_before=now + dt.timedelta(days=1), not_after=now + dt.timedelta(days=30)
        )
        return _context(leaf)

    @cached_property
    def wrong_name(self) -> ssl.SSLContext:
        """Return a context whose certificate is for another name."""
        return self._authority.server("relay.example")

    @cached_property
    def wrong_ca(self) -> ssl.SSLContext:
        """Return a context whose certificate comes from a CA that nobody trusts."""
        return _context(self._stranger.issue_cert("localhost"))

    @cached_property
    def self_signed(self) -> ssl.SSLContext:
        """Return a context whose certificate signed itself."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        folder = self.ca.parent
        chain, key = folder / "self-signed.pem", folder / "self-signed.key"
        self._stranger.cert_pem.write_to_path(str(chain))
        self._stranger.private_key_pem.write_to_path(str(key))
        context.load_cert_chain(chain, key)
        return context


def _context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    return context
