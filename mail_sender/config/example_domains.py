"""Names under example.com that stand beside real ones: they were left from the examples.

Somebody who tries mail-sender out uses such names for everything, with a relay on this machine. That is fine.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from mail_sender.config.keys import ClientFile, SenderFile
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.names import address
from mail_sender.relay import endpoint

_EXAMPLE = re.compile(r"(?:.*\.)?example\.(?:com|net|org)\.?", re.IGNORECASE)  # RFC 2606, section 3
# RFC 6761 and RFC 8375, and what companies use inside.
_PRIVATE = re.compile(
    r".*\.(?:test|example|invalid|localhost|local|internal|lan|home|corp|arpa|onion|alt|intranet|private)\.?",
    re.IGNORECASE,
)


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
        "mail_relay": endpoint.parse(sender.mail_relay.get_secret_value()).host,
    }
    if sum(map(_is_real, hosts.values())) < 2:
        return
    found, expected = "is still the example's", "write your own; example.com belongs to nobody"
    yield from (sender_file.fault((key,), found, expected) for key, host in hosts.items() if _EXAMPLE.fullmatch(host))
    if _EXAMPLE.fullmatch(urlsplit(client.uri).hostname or ""):
        yield client_file.fault(("uri",), found, expected)


def _is_real(host: str) -> bool:
    """Say whether a name is one of the public DNS: no address, nothing private, no example."""
    labels = host.rstrip(".").split(".")
    is_name = len(labels) > 1 and ":" not in host and not labels[-1].isdigit()
    return is_name and not _PRIVATE.fullmatch(host) and not _EXAMPLE.fullmatch(host)
