"""Settings that work, but weaken security: each is a warning at every start."""

from collections.abc import Iterator

from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.observe import place
from mail_sender.relay.config import FolderConfig, RelayConfig


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
    if isinstance(relay, RelayConfig) and relay.username is None:
        yield "no login at the relay: no user is set, or the password is empty"
    if sender.observe.listen and not place.parse(sender.observe.listen).is_loopback:
        what = f"whoever reaches {sender.observe.listen} reads, without a login, what is sent and to whom (masked)"
        yield f"[observe] listen: {what}; let a firewall or a network policy decide who can"
    if sender_file.mode & 0o007:
        mode = f"mode {sender_file.mode:04o}"
        yield f"{sender_file.path} holds secrets and is open to everybody ({mode}); set mode 0640 or less (chmod)"
