"""What the checks look at: each room's slice of the configuration, as far as it could be read."""

from dataclasses import dataclass, field

from mail_sender.doctor.config import DoctorConfig
from mail_sender.ledger.config import LedgerConfig
from mail_sender.mail.config import MailConfig
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.source.config import SourceConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One configuration. A slice is None if the configuration has faults that keep it from being used."""

    source: SourceConfig | None = None
    relay: RelayConfig | FolderConfig | None = None
    mail: MailConfig | None = None
    ledger: LedgerConfig | None = None
    doctor: DoctorConfig = field(default_factory=DoctorConfig)
