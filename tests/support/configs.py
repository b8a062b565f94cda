"""The two configuration files, written for a test."""

import json
from collections.abc import Mapping
from pathlib import Path

import tomli

from mail_sender.config.config import Config
from mail_sender.relay.config import RelayConfig

KANIDM: Mapping[str, object] = {
    "token": "header.payload.signature-of-a-token",
    "instance_display_name": "Example Identity",
    "instance_url": "https://idm.example.com",
    "mail_from_address": "idm@example.com",
    "mail_reply_to_address": "support@example.com",
    "mail_relay": "smtps://localhost:465",
    "mail_username": "mail-sender",
    "mail_password": "a-password-that-no-log-may-show",
}


def write(path: Path, values: Mapping[str, object]) -> Path:
    """Write values as TOML; tables are mappings, and come last."""
    flat = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"{key} = {_toml(value)}" for key, value in flat.items() if value is not None]
    for name, table in values.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
    path.write_text("\n".join([*lines, ""]))
    path.chmod(0o600)
    return path


def client(folder: Path, **values: object) -> Path:
    """Write a client config."""
    return write(folder / "config", {"uri": "https://localhost:1", **values})


def sender(folder: Path, **values: object) -> Path:
    """Write a mail-sender config: Kanidm's keys, changed; None leaves one out, a mapping is a table."""
    return write(folder / "mail-sender", {**KANIDM, "ledger": {"path": folder / "state"}, **values})


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(key)} = {_toml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(str(value) if isinstance(value, Path) else value)


def change(path: Path, **values: object) -> Path:
    """Change keys of a configuration file; None takes one out, a mapping is a whole table."""
    return write(path, {**tomli.loads(path.read_text()), **values})


def relay_of(config: Config) -> RelayConfig:
    """Return the relay of a configuration that has one."""
    assert isinstance(config.relay, RelayConfig)
    return config.relay
