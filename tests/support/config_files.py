"""Two good configuration files, and ways to break them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from mail_sender.config.config import Config
from mail_sender.config.load import load
from mail_sender.errors import ConfigError, ConfigFault

CLIENT = {"uri": '"https://idm.example.com"'}
SENDER = {
    "token": '"eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl"',
    "instance_display_name": '"Example Identity"',
    "instance_url": '"https://idm.example.com"',
    "mail_from_address": '"idm@example.com"',
    "mail_reply_to_address": '"support@example.com"',
    "mail_relay": '"smtps://relay.example.com"',
    "mail_username": '"idm"',
    "mail_password": '"correct horse"',
}

KIND = "credential_reset_v1"
NOTHING: Mapping[str, str | None] = {}


def lines(values: Mapping[str, str | None]) -> str:
    """Return `key = value` lines; what is None is left out."""
    return "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)


@dataclass(frozen=True)
class Files:
    """The client config and the mail-sender config, as text in a folder."""

    folder: Path

    @property
    def client(self) -> Path:
        """The client config's path."""
        return self.folder / "config"

    @property
    def sender(self) -> Path:
        """The mail-sender config's path."""
        return self.folder / "mail-sender"

    def write(self, sender: str, client: str = 'uri = "https://idm.example.com"\n') -> None:
        """Write both files, closed to others."""
        for path, text in ((self.sender, sender), (self.client, client)):
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            path.chmod(0o600)

    def load(self, tables: str = "", client: Mapping[str, str | None] = NOTHING, /, **changes: str | None) -> Config:
        """Load good files with some values (as TOML) changed or, by None, left out, and tables added at the end."""
        self.write(lines({**SENDER, **changes}) + tables, lines({**CLIENT, **client}))
        return load(self.client, self.sender)

    def faults(
        self, tables: str = "", client: Mapping[str, str | None] = NOTHING, /, **changes: str | None
    ) -> tuple[ConfigFault, ...]:
        """Return the faults of files changed like that."""
        with pytest.raises(ConfigError) as caught:
            self.load(tables, client, **changes)
        return caught.value.faults


def only(faults: tuple[ConfigFault, ...]) -> ConfigFault:
    """Return the one fault."""
    (fault,) = faults
    return fault


def override(files: Files, **texts: str) -> str:
    """Write a folder of templates; return the table that names it."""
    for name, text in texts.items():
        path = files.folder / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f'[templates]\noverride_path = "{files.folder}/templates"\n'


def fault(files: Files, tables: str) -> ConfigFault:
    """Return the one fault of these tables."""
    (found,) = files.faults(tables)
    return found
