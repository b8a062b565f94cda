"""The configuration of the source: the identity server and the token."""

from dataclasses import dataclass
from pathlib import Path

from mail_sender.names.secret import Secret

DEFAULT_PORTS = {"https": 443, "http": 80}
"""The ports of the schemes that the URL of a server or of a proxy may have."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """The identity server and the token.

    `uri` has no path, `connect_timeout` is in seconds, `proxy` is the URL of an HTTP proxy on the way there.
    """

    uri: str
    token: Secret
    verify_ca: bool = True
    verify_hostnames: bool = True
    ca_path: Path | None = None
    connect_timeout: float = 15.0
    proxy: Secret | None = None
