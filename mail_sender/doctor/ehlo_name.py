"""The name that EHLO gives: relays and spam filters expect a full one with an address (RFC 5321, section 2.3.5)."""

import ipaddress
from collections.abc import AsyncGenerator

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.names import special_use
from mail_sender.relay import addresses
from mail_sender.relay.config import RelayConfig

_EHLO = Topic.EHLO_NAME
_SET = "set [relay] local_name to a name of this machine that has an address in the DNS, such as mail.example.com"


async def ehlo_name(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Say whether the name is one that relays like."""
    if not isinstance(subject.relay, RelayConfig):
        yield _EHLO.skipped("ehlo_name", "no relay is used, or the configuration has faults about it")
        return
    name, seconds = subject.relay.local_name, subject.relay.connect_timeout
    if (finding := _by_its_form(name)) is not None:
        yield finding
        return
    if special_use.is_example(name) and not subject.doctor.nameservers:
        yield _EHLO.skipped("ehlo_name", f"{name} is the name of an example: it is not looked up")
        return
    try:
        found = await addresses.of(name, 0, seconds)
    except (OSError, ValueError):
        yield _EHLO.warning("ehlo_name", f'EHLO gives the name "{name}", which has no address', _SET)
        return
    places = dict.fromkeys(str(address[4][0]) for address in found)
    yield _EHLO.ok("ehlo_name", f'EHLO gives the name "{name}", which is {", ".join(places)}')


def _by_its_form(name: str) -> Finding | None:
    """Return what the name's form says of it, None if it is to be looked up."""
    bare = name.rstrip(".").lower()
    if bare == "localhost" or bare.endswith((".localhost", ".localdomain")):
        seen = f'EHLO gives the name "{name}", which every machine has: some relays and spam filters refuse it'
        return _EHLO.warning("ehlo_name", seen, _SET)
    if name.startswith("["):
        address = ipaddress.ip_address(name.strip("[]").removeprefix("IPv6:"))
        if address.is_global:
            return _EHLO.ok("ehlo_name", f"EHLO gives the address {name}")
        return _EHLO.warning("ehlo_name", f"EHLO gives the address {name}, which is not a public one", _SET)
    if "." not in bare:
        return _EHLO.warning("ehlo_name", f'EHLO gives the name "{name}", which is not a full name', _SET)
    return None
