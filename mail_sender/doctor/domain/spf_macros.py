"""Expands the macros of an SPF record (RFC 7208, section 7)."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mail_sender.names import address

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_MACRO = re.compile(r"%\{([A-Za-z])(\d*)([rR]?)([.\-+,/_=]*)\}|%([%_-])")
_PLAIN = {"%": "%", "_": " ", "-": "%20"}
_OF_THE_ADDRESS = "iIcCpPvV"
_OF_THE_HELO = "hH"


@dataclass(frozen=True, slots=True)
class Mail:
    """What macros are made from: the envelope sender, the EHLO name, and the relay's address, where it is known."""

    sender: str
    helo: str
    ip: Ip | None


def is_open(target: str, mail: Mail) -> bool:
    """Say whether a target cannot be expanded, because the relay's address or its EHLO name is not known."""
    names = {match[1] for match in _MACRO.finditer(target) if match[1]}
    return mail.ip is None and not names.isdisjoint(_OF_THE_ADDRESS + _OF_THE_HELO)


def expand(target: str, domain: str, mail: Mail) -> str:
    """Return a domain with its macros filled in, for a record that stands at `domain`; a long one is cut on the left.

    What follows the 253rd character from the right is left out by whole labels (section 7.3).
    """
    local, _, sender_domain = mail.sender.rpartition("@")
    texts = {
        "s": mail.sender,
        "l": local or "postmaster",
        "o": sender_domain,
        "d": domain,
        "i": _dotted(mail.ip),
        "p": "unknown",
        "v": "ip6" if isinstance(mail.ip, ipaddress.IPv6Address) else "in-addr",
        "h": mail.helo,
    }
    made = _MACRO.sub(lambda match: _expanded(match, texts), target)
    while len(made) > 253 and "." in made:
        made = made.partition(".")[2]
    return made


def spf_sender(from_address: str) -> str:
    """Return the envelope sender as macros see it: without quotes and escapes."""
    return address.spellings(from_address)[-1]


def _expanded(match: re.Match[str], texts: Mapping[str, str]) -> str:
    name, digits, reverse, delimiters, plain = match.groups()
    if plain:
        return _PLAIN[plain]
    parts = re.split(f"[{re.escape(delimiters or '.')}]", texts.get(name.lower(), ""))
    if reverse:
        parts.reverse()
    return ".".join(parts[-int(digits[:3]) :] if digits.strip("0") else parts)


def _dotted(ip: Ip | None) -> str:
    """Return an address with dots: IPv6 as 32 digits (section 7.3)."""
    if isinstance(ip, ipaddress.IPv6Address):
        return ".".join(ip.exploded.replace(":", ""))
    return str(ip) if ip else ""
