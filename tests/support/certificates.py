"""Certificates of a test's own: one CA, and leaves that are right, expired or somebody else's."""

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Authority:
    """A CA whose certificate lies at `pem`."""

    authority: trustme.CA
    pem: Path

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        """Make a new CA and write its certificate into the folder."""
        authority = trustme.CA()
        pem = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(pem))
        return cls(authority, pem)

    def server(self, *names: str, days: int = 30, client_ca: Path | None = None) -> ssl.SSLContext:
        """Return a server's context with a leaf for these names; negative days make it expired."""
        now = dt.datetime.now(dt.UTC)
        leaf = self.authority.issue_cert(
            *(names or ("localhost", "127.0.0.1")),
            not_before=now - dt.timedelta(days=60),
            not_after=now + dt.timedelta(days=days),
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf.configure_cert(context)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return context

    def client(self, folder: Path) -> tuple[Path, Path]:
        """Write a client certificate and its key into the folder, and return their paths."""
        leaf = self.authority.issue_cert("mail-sender@example.com")
        certificate, key = folder / "client.pem", folder / "client.key"
        leaf.cert_chain_pems[0].write_to_path(str(certificate))
        leaf.private_key_pem.write_to_path(str(key))
        return certificate, key
