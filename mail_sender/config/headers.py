"""`[headers]`, the extra headers of every mail: why one of them cannot be used."""

import re
from collections.abc import Iterator

from mail_sender.config.keys import misplaced
from mail_sender.config.placeholders import holds_placeholder
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.mail.headers import RESERVED

LONGEST_HEADER = 990
"""Characters of an extra header, name and value: relays refuse longer lines, or split them."""

_NOT_FOR_SENDERS = {
    "sender": "is for mail that another mailbox sends for the author's (RFC 5322, section 3.6.2): here both are "
    "mail_from_address",
    "cc": "names people who would not get the mail: each mail has one recipient",
    "bcc": "names people who would not get the mail: each mail has one recipient",
    "return-path": "is written by the server that delivers the mail (RFC 5321, section 4.4)",
    "received": "is written by each relay on the way (RFC 5321, section 4.4)",
    "dkim-signature": "is written by the relay that signs the mail (RFC 6376)",
    "content-disposition": "would make an attachment of the mail (RFC 2183)",
    "resent-": "belongs to mail that its recipient sends on (RFC 5322, section 3.6.6)",
}


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each extra header that is malformed, not the user's to write, or a key of ours."""
    table, seen = file.value(("headers",)), set[str]()
    for name, value in table.items() if isinstance(table, dict) else ():
        if reason := _bad_name(name, seen) or _secret(file, value) or _bad_value(name, value):
            yield file.fault(("headers", name), *reason)
        seen.add(name.lower())


def _bad_name(name: str, seen: set[str]) -> tuple[str, str] | None:
    """Return what was found and what was expected, or None if the name can be used."""
    if reason := misplaced("headers", name):
        return reason
    if not re.fullmatch(r"[!-9;-~]{1,60}", name):
        return "is not a header name", "expected letters, digits and hyphens (RFC 5322, section 2.2)"
    lower = name.lower()
    if why := _NOT_FOR_SENDERS.get("resent-" if lower.startswith("resent-") else lower):
        return why, "leave it out"
    if lower in RESERVED:
        return "is written by mail-sender itself", "leave it out"
    if lower in seen:
        return "is set twice", "header names that differ only in case are the same (RFC 5322)"
    return None


def _secret(file: TomlFile, value: object) -> tuple[str, str] | None:
    for key in ("token", "mail_password"):
        secret = file.value((key,))
        if isinstance(secret, str) and len(secret) > 3 and isinstance(value, str) and secret in value:
            return f"holds the value of {key}, which everybody who gets a mail would see", "leave it out"
    return None


def _bad_value(name: str, value: object) -> tuple[str, str] | None:
    if not isinstance(value, str):  # the key's own check reports it
        return None
    if holds_placeholder(value):
        return "still holds a placeholder", "write the real value"
    if not (value.isascii() and value.isprintable() and value.strip()):
        found = "is empty, or contains a line break or a character that is not ASCII"
        return found, "expected one line of ASCII text"
    if len(name) + len(value) > LONGEST_HEADER:
        expected = "expected a line of at most 998 octets (RFC 5322, section 2.1.1)"
        return f"has {len(value)} characters", expected
    return None
