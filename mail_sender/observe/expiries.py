"""What expires of one configuration: its token and its certificates.

Token and client certificate are known by their own words; a peer's certificate is known from the first connection on.
What was seen last is kept where nothing is to be seen later.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

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


def of(source: SourceConfig, relays: Sequence[RelayConfig | FolderConfig], parts: Parts) -> Expiries:
    """Return what expires of a configuration, and of the peers of the parts that work under it.

    The names of a fallback's certificates begin with `fallback_1_`, those of the second one with `fallback_2_`.
    """
    claims = token.claims(source.token)
    known, last_seen = {"token": claims.expires if claims else None}, dict[str, LastSeen]()
    queue = parts.source
    if isinstance(queue, KanidmSource):
        last_seen["server_certificate"] = lambda: queue.facts.certificate
    for number, (config, relay) in enumerate(zip(relays, parts.relays.all, strict=True)):
        of_fallback = f"fallback_{number}_" if number else ""
        if isinstance(config, RelayConfig) and config.client_cert_path is not None:
            own = certificate.of_file(config.client_cert_path)
            known[f"{of_fallback}client_certificate"] = own.ends if own else None
        if isinstance(relay.transport, SmtpTransport):
            last_seen[f"{of_fallback}relay_certificate"] = partial(_certificate, relay.transport)
    return Expiries(known, last_seen)


def _certificate(transport: SmtpTransport) -> Certificate | None:
    return transport.certificate
