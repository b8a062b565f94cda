"""The configuration in use, as far as those who watch want to know it, and who works under it."""

from dataclasses import dataclass

from mail_sender.observe import expiries
from mail_sender.observe.facts import Facts
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.sender.parts import Parts
from mail_sender.sender.worker import Worker
from mail_sender.source.config import SourceConfig


@dataclass(frozen=True, slots=True)
class InUse:
    """What the configuration fixes, the parts that work under it, and who works with them."""

    facts: Facts
    parts: Parts
    worker: Worker


def of(source: SourceConfig, relay: RelayConfig | FolderConfig, parts: Parts, worker: Worker) -> InUse:
    """Return what is in use from now on."""
    facts = Facts(
        server=source.uri,
        relay=relay.place,
        security=relay.security.value if isinstance(relay, RelayConfig) else "folder",
        login=isinstance(relay, RelayConfig) and relay.username is not None,
        expiries=expiries.of(source, relay, parts),
    )
    return InUse(facts, parts, worker)
