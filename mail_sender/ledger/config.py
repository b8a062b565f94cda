"""The configuration of the ledger: where it is kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mail_sender.names.secret import Secret


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """Where the ledger is kept: `path` is the state folder, None if the configuration does not name one.

    Of a ledger in PostgreSQL, `url` is libpq's, which may leave out what libpq knows from its environment; `password`
    goes over the one in it, and `ca_path` is the CA of the server's certificate.
    """

    path: Path | None = None
    kind: Literal["sqlite", "memory", "postgresql"] = "sqlite"
    url: Secret | None = None
    password: Secret | None = None
    ca_path: Path | None = None
