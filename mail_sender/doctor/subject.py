"""What the checks look at: each room's slice of the configuration, as far as it could be read."""

from dataclasses import dataclass, field
from pathlib import Path

from mail_sender.doctor.config import DoctorConfig
from mail_sender.errors import ConfigFault
from mail_sender.ledger.config import LedgerConfig
from mail_sender.mail.config import MailConfig
from mail_sender.names.secret import Secret
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.source.config import SourceConfig


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found when the configuration was read.

    `files` are the two files, `named` those that they or the environment name (CAs, secrets, templates). `faulty` are
    the keys of both that cannot be used, with their tables (`relay.ca_path`): other values may stand in their place.
    `secrets` are what no report may show.
    """

    files: tuple[Path, ...] = ()
    named: tuple[Path, ...] = ()
    faults: tuple[ConfigFault, ...] = ()
    template_faults: tuple[ConfigFault, ...] = ()
    warnings: tuple[str, ...] = ()
    faulty: frozenset[str] = frozenset()
    secrets: frozenset[Secret] = frozenset()

    def is_faulty(self, *keys: str) -> bool:
        """Say whether one of these keys cannot be used, or a key of one of these tables."""
        tables = tuple(f"{key}." for key in keys)
        return not self.faulty.isdisjoint(keys) or any(key.startswith(tables) for key in self.faulty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One configuration. A slice is None if faults of the configuration keep it from being used.

    Of the `fallbacks`, all are left out if one has a fault.
    """

    source: SourceConfig | None = None
    relay: RelayConfig | FolderConfig | None = None
    fallbacks: tuple[RelayConfig, ...] = ()
    mail: MailConfig | None = None
    ledger: LedgerConfig | None = None
    doctor: DoctorConfig = field(default_factory=DoctorConfig)
    reading: Reading = field(default_factory=Reading)
