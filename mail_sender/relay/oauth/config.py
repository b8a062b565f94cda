"""The configuration of OAuth: how a token for the relay is got."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from mail_sender.ledger.state_folder import StateFolder
from mail_sender.names.secret import Secret
from mail_sender.relay import program


class Flow(StrEnum):
    """How a token is got."""

    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a flow's name, not a token
    SERVICE_ACCOUNT = "service_account"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account and its key, a PEM text; `key_id` is the provider's name for the key, or empty."""

    email: str
    key: Secret
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class OAuthConfig:
    """How a token is got. Each flow needs its own fields; the others are empty.

    `mailbox` is the mailbox that a service account acts for. `command` prints a token. `state` is where the newest
    refresh token is kept, None if nowhere. The certificates in `ca_path` are trusted at the endpoint, too; `proxy` is
    the URL of an HTTP proxy on the way to it.
    """

    flow: Flow
    token_url: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    scope: str = ""
    account: ServiceAccount | None = None
    mailbox: str = ""
    command: tuple[Secret, ...] = ()
    ca_path: Path | None = None
    proxy: Secret | None = None
    state: StateFolder | None = None

    @property
    def place(self) -> str:
        """Where the token comes from, as people write it: the endpoint's host, or the program."""
        if self.flow is Flow.COMMAND:
            return f"the command {program.shown(self.command)}"
        return f"the token endpoint at {urlsplit(self.token_url).hostname or ''}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log, and no error, may show."""
        key = self.account.key if self.account else None
        texts = (one.get_secret_value() for one in (self.client_secret, self.refresh_token, key) if one is not None)
        return tuple(text for text in texts if text)
