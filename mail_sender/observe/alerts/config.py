"""The configuration of alerts: who is called, and when."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from mail_sender.names.secret import Secret
from mail_sender.relay import program

Format = Literal["json", "slack", "ntfy", "alertmanager"]


@dataclass(frozen=True, slots=True)
class AlertConfig:
    """Who is called, and when.

    `url` is a secret as a whole, as are the values of `headers`; of `command` only `program` is ever shown. `after`
    is how long a condition lasts before it is alerted, `repeat` after how long an alert is repeated (0: never).
    `proxy` is the URL of an HTTP proxy on the way to `url`.
    """

    url: Secret | None = None
    command: tuple[Secret, ...] = ()
    format: Format = "json"
    headers: tuple[tuple[str, Secret], ...] = ()
    after: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(days=1)
    max_per_hour: int = 30
    oldest_waiting: timedelta = timedelta(minutes=15)
    expires_within: timedelta = timedelta(days=14)
    ca_path: Path | None = None
    proxy: Secret | None = None

    @property
    def program(self) -> str:
        """The program of `command`, as it is shown."""
        return program.shown(self.command)

    @property
    def url_host(self) -> str:
        """The host of `url`, which is all that is shown of it."""
        return urlsplit(self.url.get_secret_value()).hostname or "" if self.url else ""
