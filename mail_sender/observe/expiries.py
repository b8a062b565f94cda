"""What expires of one configuration: its token and its certificates.

Token and client certificate are known by their own words; a peer's certificate is known from the first connection on.
What was seen last is kept where nothing is to be seen later.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.sender.parts import Parts
from mail_sender.source import token
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from mail_sender.tls import certificate
from mail_sender.tls.certificate import Certificate

LastSeen = Callable[[], Certificate | None]
"""Returns the certificate of the last connection."""


class Expiries:
    """The ends by name: those that never change as `known`, and for each other name what was seen last."""

    def __init__(self, known: Mapping[str, datetime | None], last_seen: Mapping[str, LastSeen]) -> None:
        self._ends = {name: end for name, end in known.items() if end is not None}
        self._last_seen = last_seen

    def __call__(self) -> Mapping[str, datetime]:
        """Return the ends that are known by now."""
        for name, certificate_of_peer in self._last_seen.items():
            if (seen := certificate_of_peer()) is not None:
                self._ends[name] = seen.ends
        return dict(self._ends)


def of(source: SourceConfig, relay: RelayConfig | FolderConfig, parts: Parts) -> Expiries:
    """Return what expires of a configuration, and of the peers of the parts that work under it."""
    claims = token.claims(source.token)
    file = relay.client_cert_path if isinstance(relay, RelayConfig) else None
    own = certificate.of_file(file) if file is not None else None
    known = {"token": claims.expires if claims else None, "client_certificate": own.ends if own else None}
    queue, transport, last_seen = parts.source, parts.transport, dict[str, LastSeen]()
    if isinstance(queue, KanidmSource):
        last_seen["server_certificate"] = lambda: queue.facts.certificate
    if isinstance(transport, SmtpTransport):
        last_seen["relay_certificate"] = lambda: transport.certificate
    return Expiries(known, last_seen)
