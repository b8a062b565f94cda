"""The configuration of the ledger: where it is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """Where the ledger is kept: `path` is the state folder, None if the configuration does not name one."""

    path: Path | None = None
    kind: Literal["sqlite", "memory"] = "sqlite"
