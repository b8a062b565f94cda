"""The facts of a running sender that its configuration fixes: where it works, and what of it expires."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from socket import gethostname

from mail_sender import __version__
from mail_sender.observe import expiries
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.transport import Transport
from mail_sender.source.base import Source
from mail_sender.source.config import SourceConfig


@dataclass(frozen=True, slots=True)
class Process:
    """The running process."""

    version: str = __version__
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=gethostname)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one configuration says: `expiries` gives the ends, by name, that are known so far."""

    server: str
    relay: str
    security: str
    login: bool
    expiries: Callable[[], Mapping[str, datetime]] = dict


def of(source: SourceConfig, relay: RelayConfig | FolderConfig, queue: Source, transport: Transport) -> Facts:
    """Return the facts of a configuration, for the source and the transport that use it."""
    return Facts(
        server=source.uri,
        relay=relay.place,
        security=relay.security.value if isinstance(relay, RelayConfig) else "folder",
        login=isinstance(relay, RelayConfig) and relay.username is not None,
        expiries=expiries.of(source, relay, queue, transport),
    )
