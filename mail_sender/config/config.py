"""The whole configuration: one small frozen slice for each room. Only the wiring sees all of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mail_sender.doctor.config import DoctorConfig
from mail_sender.ledger.config import LedgerConfig
from mail_sender.mail.config import MailConfig
from mail_sender.names.secret import Secret
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.config import ObserveConfig
from mail_sender.relay.config import FallbackConfig, FolderConfig, RelayConfig
from mail_sender.sender.config import SenderConfig
from mail_sender.source.config import SourceConfig


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; only the wiring sees it. `files` are those that it was read from.

    `fallbacks` stand in for the relay, in their order; a dry run has none.
    """

    @property
    def relays(self) -> tuple[RelayConfig | FolderConfig, ...]:
        """The relay and those that stand in for it."""
        return self.relay, *(fallback.relay for fallback in self.fallbacks)

    source: SourceConfig
    relay: RelayConfig | FolderConfig
    mail: MailConfig
    sender: SenderConfig
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    observe: ObserveConfig = field(default_factory=ObserveConfig)
    doctor: DoctorConfig = field(default_factory=DoctorConfig)
    alert: AlertConfig = field(default_factory=AlertConfig)
    fallbacks: tuple[FallbackConfig, ...] = ()
    files: tuple[Path, ...] = ()
    log_format: Literal["text", "json"] = "text"
    warnings: tuple[str, ...] = ()
    secrets: frozenset[Secret] = frozenset()
