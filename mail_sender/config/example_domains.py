"""Names under example.com that stand beside real ones: they were left from the examples.

Somebody who tries mail-sender out uses such names for everything, with a relay on this machine. That is fine.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.names import address, special_use
from mail_sender.relay import relay_url


def faults(
    client_file: TomlFile, sender_file: TomlFile, client: ClientFile, sender: SenderFile
) -> Iterator[ConfigFault]:
    """Yield a fault for each example name, if two or more of the others are real."""
    if sender.relay.kind == "folder" or sender.mail_relay is None:
        return
    hosts = {
        "instance_url": urlsplit(sender.instance_url).hostname or "",
        "mail_from_address": address.domain(sender.mail_from_address),
        "mail_reply_to_address": address.domain(sender.mail_reply_to_address),
        "mail_relay": relay_url.parse(sender.mail_relay.get_secret_value()).host,
    }
    if sum(map(special_use.is_public, hosts.values())) < 2:
        return
    found, expected = "is still the example's", "write your own; example.com belongs to nobody"
    yield from (
        sender_file.fault((key,), found, expected) for key, host in hosts.items() if special_use.is_example(host)
    )
    if special_use.is_example(urlsplit(client.uri).hostname or ""):
        yield client_file.fault(("uri",), found, expected)
