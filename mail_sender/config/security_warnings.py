"""Settings that work, but weaken security: each is a warning at every start."""

import stat
from collections.abc import Iterator
from pathlib import Path

from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.observe import place
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.relay_url import is_path

_EVERYBODY = 0o007


def warnings(
    client: ClientFile, sender: SenderFile, relay: RelayConfig | FolderConfig, sender_file: TomlFile
) -> Iterator[str]:
    """Yield one sentence for each."""
    if not client.verify_ca:
        yield "verify_ca = false: anybody on the network path to the identity server can read messages and token"
    elif not client.verify_hostnames:
        yield "verify_hostnames = false: any certificate of a trusted CA is accepted as the identity server's"
    if client.uri.startswith("http://"):
        yield "uri is http://: messages and the token travel unencrypted; use https:// except on loopback"
    if sender.instance_url.startswith("http://"):
        yield "instance_url is http://: the links in mails lead to a page without TLS"
    if isinstance(relay, RelayConfig):
        yield from of_relay(relay)
    if sender.observe.listen and not place.parse(sender.observe.listen).is_loopback:
        what = f"whoever reaches {sender.observe.listen} reads, without a login, what is sent and to whom (masked)"
        yield f"[observe] listen: {what}; let a firewall or a network policy decide who can"
    tables = (sender.relay, *sender.relay.fallback) if isinstance(relay, RelayConfig) else ()
    keys = [sender.relay.oauth.service_account_path, *(table.client_key_path for table in tables)]
    modes = {sender_file.path: sender_file.mode} if _holds_secrets(sender_file) else {}
    modes |= {path: _mode(path) for path in (*sender_file.secret_files, *keys) if path is not None}
    yield from (_open_to_everybody(path, mode) for path, mode in modes.items() if mode & _EVERYBODY)


def of_relay(relay: RelayConfig) -> Iterator[str]:
    """Yield one sentence for each of a relay's settings."""
    if relay.is_local and not is_path(relay.host):  # of a socket, the permissions decide who is behind it
        yield (
            f"mail goes to {relay.place} without TLS: whichever program of this machine listens there gets the "
            "mails and their links; smtp+unix:// names a socket, whose permissions decide who that is"
        )
    if relay.username is None and not relay.is_local:
        yield "no login at the relay: no user is set, or the password is empty"


def _holds_secrets(file: TomlFile) -> bool:
    """Say whether secrets stand in the file itself; of alerts, the whole URL and the headers are some."""
    of_alerts = (("alert", "url"), ("alert", "headers"))
    return file.holds_secrets or any(file.value(key) and file.origin(key).kind == "file" for key in of_alerts)


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:  # its own check reports it
        return 0


def _open_to_everybody(path: Path, mode: int) -> str:
    return f"{path} holds secrets and is open to everybody (mode {mode:04o}); set mode 0640 or less (chmod)"
