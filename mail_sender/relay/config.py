"""The configuration of the transport: the relay, or the folder that takes its place in a dry run."""

from dataclasses import dataclass
from pathlib import Path

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth.config import OAuthConfig
from mail_sender.relay.relay_url import Endpoint, Security
from mail_sender.tls import contexts

CONNECTIONS = 4
"""Connections to a relay at a time, where the configuration names no number."""
MOST_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """The relay: `host` is a name in ASCII, or an address.

    The name, the connection and TLS have `connect_timeout` seconds each.
    `username` is set with either `password` or `oauth`; where all are None, there is no login.
    `server_name` is the name that the certificate must have, if that is not `host`. Where there are `pins` (SHA-256,
    64 hexadecimal digits each), one must be the certificate's or its key's, and neither name nor CA is asked for.
    `connections` are open at a time, at most, with one mail on each. Without `pipelining`, commands go one at a time
    also where the relay offers that.
    """

    host: str
    port: int
    security: Security
    local_name: str
    username: str | None = None
    password: Secret | None = None
    connect_timeout: float = 15.0
    ca_path: Path | None = None
    client_cert_path: Path | None = None
    client_key_path: Path | None = None
    server_name: str | None = None
    pins: tuple[str, ...] = ()
    oauth: OAuthConfig | None = None
    connections: int = CONNECTIONS
    pipelining: bool = True

    @property
    def place(self) -> str:
        """`host:port`, as people write it."""
        return str(Endpoint(self.host, self.port, self.security))

    @property
    def tls_name(self) -> str:
        """The name that is sent in the handshake (SNI) and looked for in the certificate."""
        return contexts.server_name(self.server_name or self.host)

    @property
    def is_local(self) -> bool:
        """Whether it is reached without TLS, and so must be on this machine."""
        return self.security is Security.PLAIN


@dataclass(frozen=True, slots=True)
class FallbackConfig:
    """A relay that stands in for the first one, once that has been down for `after` seconds."""

    relay: RelayConfig
    after: float


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """A folder that takes the relay's place: mails are written into it, nothing is sent and nothing marked.

    So many `connections` of the relay's are taken for mails that are written at a time.
    """

    path: Path
    connections: int = CONNECTIONS

    @property
    def place(self) -> str:
        """The folder, as people write it."""
        return str(self.path)
