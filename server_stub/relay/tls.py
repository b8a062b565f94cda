"""The TLS of the relay: with its own certificate or an expired one, asking for a client certificate or not."""

from __future__ import annotations

import datetime as dt
import ssl

from server_stub.certificates import client_certificate, server_certificate
from server_stub.certificates.server_certificate import ServerCertificate
from server_stub.folder.directory import Directory
from server_stub.misbehaviour.relay_rule import RelayAct

ASKING = {None: ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class RelayTls:
    """Contexts for the relay, made once for each kind. `DIR/client.pem` is made besides, to answer those that ask."""

    def __init__(self, directory: Directory, certificate: ServerCertificate) -> None:
        self._directory = directory
        self._certificate = certificate
        self._contexts: dict[tuple[bool, str | None], ssl.SSLContext] = {}
        client_certificate.ensure(directory, dt.datetime.now(dt.UTC))

    def context(self, act: RelayAct) -> ssl.SSLContext:
        """Return the context that the rules want for this connection. Raises StubError and OSError."""
        kind = (act.expired_certificate, act.client_certificate)
        if kind not in self._contexts:
            self._contexts[kind] = self._make(*kind)
        return self._contexts[kind]

    def _make(self, expired: bool, client: str | None) -> ssl.SSLContext:
        certificate = self._certificate
        if expired:
            certificate = server_certificate.make_expired(self._directory, dt.datetime.now(dt.UTC))
        context = certificate.context()
        if client:
            context.load_verify_locations(self._directory.ca)
            context.verify_mode = ASKING[client]
        return context
