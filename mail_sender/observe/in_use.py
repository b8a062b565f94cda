"""The configuration in use, as far as those who watch want to know it, and who works under it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mail_sender.observe import expiries
from mail_sender.observe.facts import Facts, RelayFacts
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.transport import Transport
from mail_sender.sender.parts import Parts
from mail_sender.sender.worker import Worker
from mail_sender.source.config import SourceConfig


@dataclass(frozen=True, slots=True)
class InUse:
    """What the configuration fixes, the parts that work under it, and who works with them."""

    facts: Facts
    parts: Parts
    worker: Worker


def of(source: SourceConfig, relays: Sequence[RelayConfig | FolderConfig], parts: Parts, worker: Worker) -> InUse:
    """Return what is in use from now on; the first relay comes first, then its fallbacks."""
    transports = [relay.transport for relay in parts.relays.all]
    facts = Facts(source.uri, list(map(_facts, relays, transports)), expiries.of(source, relays, parts))
    return InUse(facts, parts, worker)


def _facts(relay: RelayConfig | FolderConfig, transport: Transport) -> RelayFacts:
    if isinstance(relay, FolderConfig):
        return RelayFacts(relay.place, "folder", login=False)
    found = RelayFacts(relay.place, relay.security.value, login=relay.username is not None)
    if not isinstance(transport, SmtpTransport):
        return found
    return replace(found, token_ends=lambda: transport.token_expires_at)
