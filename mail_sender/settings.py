"""What each stage is told: one small frozen slice of the configuration for each, and the whole for the wiring."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from mail_sender.look import Look
from mail_sender.relay_address import RelayAddress, Security
from mail_sender.schedule import Schedule


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The identity server and the token.

    `uri` has no path, `connect_timeout` is in seconds, `proxy` is the URL of an HTTP proxy on the way there.
    """

    uri: str
    token: SecretStr
    verify_ca: bool = True
    verify_hostnames: bool = True
    ca_path: Path | None = None
    connect_timeout: float = 15.0
    proxy: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """The relay: `connect_timeout` in seconds covers name, connection, TLS and greeting.

    `username` and `password` are both set, or neither is: then there is no login.
    """

    host: str
    port: int
    security: Security
    local_name: str
    username: str | None = None
    password: SecretStr | None = None
    connect_timeout: float = 15.0
    ca_path: Path | None = None
    client_cert_path: Path | None = None
    client_key_path: Path | None = None

    @property
    def place(self) -> str:
        """`host:port`, as people write it."""
        return str(RelayAddress(self.host, self.port, self.security))


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """A folder that takes the relay's place: mails are written into it, nothing is sent and nothing marked."""

    path: Path

    @property
    def place(self) -> str:
        """The folder, as people write it."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class LetterConfig:
    """What every mail says about its sender: addresses are bare, `headers` are extra ones, in order."""

    instance_display_name: str
    instance_url: str
    from_address: str
    reply_to_address: str
    headers: tuple[tuple[str, str], ...] = ()
    look: Look = field(default_factory=Look)


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How long a delivery is tried: retries after the first attempt, and its age at most, since it was first seen."""

    message_retries: int = 5
    max_age: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """Where the ledger is kept: `path` is the state folder, None where the configuration does not name one."""

    path: Path | None = None
    kind: Literal["sqlite", "memory"] = "sqlite"


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The worker's pace: when it polls, and how long a stop may last (seconds)."""

    schedule: Schedule
    stop_grace_seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; only the wiring sees it. `files` are those that it was read from."""

    server: ServerConfig
    relay: RelayConfig | FolderConfig
    letter: LetterConfig
    worker: WorkerConfig
    retry: RetryConfig = RetryConfig()
    ledger: LedgerConfig = LedgerConfig()
    files: tuple[Path, ...] = ()
    log_format: Literal["text", "json"] = "text"
    warnings: tuple[str, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
