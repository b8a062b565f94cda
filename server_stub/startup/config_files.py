"""The files that a stub writes for its users at each start: two configs, the tokens, the ports, the ready file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from server_stub.errors import StubError
from server_stub.folder.directory import Directory
from server_stub.folder.files import write_atomically
from server_stub.identity.identity_file import RELAY_LOGIN, Identity
from server_stub.startup.ports import Ports, reached_at


def write_configs(directory: Directory, identity: Identity, host: str, ports: Ports) -> None:
    """Write `config`, `mail-sender`, `tokens.json` and `ports.json`; `host` is what the stub listens on.

    Raises StubError.
    """
    name = reached_at(host)
    files = {
        directory.client_config: client_config(directory, name, ports),
        directory.sender_config: sender_config(directory, identity, name, ports),
        directory.tokens: json.dumps(identity.tokens(), indent=2) + "\n",
        directory.ports: json.dumps({"host": name, **asdict(ports)}) + "\n",
    }
    try:
        for path, text in files.items():
            write_atomically(path, text)
    except OSError as error:
        raise StubError(f"Cannot write into the folder {directory.root} ({error.strerror}).") from error


def require_writable(path: Path) -> None:
    """Remove an old ready file, and see that a new one can be written. Raises StubError."""
    write_ready_file(path, Ports(0, 0, 0, 0))
    path.unlink()


def write_ready_file(path: Path, ports: Ports) -> None:
    """Write the bound ports as JSON. Raises StubError."""
    try:
        write_atomically(path, json.dumps(asdict(ports)) + "\n", 0o644)
    except OSError as error:
        raise StubError(f"Cannot write the ready file {path} ({error.strerror}).") from error


def client_config(directory: Directory, name: str, ports: Ports) -> str:
    """Return a Kanidm client config (docs/kanidm-wire.md, The client config)."""
    return f'uri = "https://{name}:{ports.api}"\nca_path = {_quoted(directory.ca)}\n'


def sender_config(directory: Directory, identity: Identity, name: str, ports: Ports) -> str:
    """Return a sender config (docs/kanidm-wire.md, The mail-sender config), with the CA and a state folder."""
    return f"""\
token = {_quoted(identity.readwrite)}
schedule = "*/5 * * * * * *"
instance_display_name = "Example Identity"
instance_url = "https://idm.example.com"
mail_from_address = "idm@example.com"
mail_reply_to_address = "support@example.com"
mail_relay = "smtps://{name}:{ports.smtps}"
mail_username = {_quoted(RELAY_LOGIN)}
mail_password = {_quoted(identity.relay_password)}
mail_connect_timeout_seconds = 15

[relay]
ca_path = {_quoted(directory.ca)}

[ledger]
path = {_quoted(directory.root / "state")}
"""


def _quoted(value: Path | str) -> str:
    # A JSON string is a TOML basic string, as long as nothing outside the BMP is written as surrogates.
    return json.dumps(str(value), ensure_ascii=False)
