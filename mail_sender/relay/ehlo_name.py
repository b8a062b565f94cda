"""The name that EHLO gives: a host name or an address literal (RFC 5321, sections 4.1.1.1 and 4.1.3)."""

import ipaddress
import re

from mail_sender.names import hostname

_LITERAL = re.compile(r"\[?(?:IPv6:|IPv4:)?(?P<address>[^\[\]]*)\]?", re.IGNORECASE)


class BadEhloName(ValueError):
    """The text is no such name; the message says what would be right, without repeating the text."""


def parse(text: str) -> str:
    """Return the name as it goes out: a host name in ASCII, `[192.0.2.1]` or `[IPv6:2001:db8::25]`.

    Raises `BadEhloName`.
    """
    if (literal := _literal(text)) is not None:
        if text.lower() != literal.lower():
            raise BadEhloName(f"write the address as {literal} (RFC 5321, section 4.1.3)")
        return literal
    try:
        name = hostname.to_ascii(text)
    except hostname.BadHostName:
        name = ""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", name):
        raise BadEhloName("expected a host name such as idm.example.com (RFC 5321, section 4.1.1.1)")
    return name


def _literal(text: str) -> str | None:
    """Return the literal of the address that stands in the text, however it is written, or None if there is none."""
    match = _LITERAL.fullmatch(text)
    try:
        address = ipaddress.ip_address(match["address"] if match else text)
    except ValueError:
        return None
    if getattr(address, "scope_id", None):
        raise BadEhloName("expected an address without a zone (%)")
    given = match["address"] if match else text
    return f"[IPv6:{given}]" if address.version == 6 else f"[{given}]"
