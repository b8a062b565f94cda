"""`[headers]`, the extra headers of every mail: why one of them cannot be used."""

import re
from collections.abc import Iterator

from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.mail.headers import RESERVED

LONGEST_HEADER = 990
"""Characters of an extra header, name and value: relays refuse longer lines, or split them."""


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each extra header that is malformed, or that mail-sender writes itself."""
    table, seen = file.value(("headers",)), set[str]()
    for name, value in table.items() if isinstance(table, dict) else ():
        if reason := _bad_name(name, seen) or _bad_value(name, value):
            yield file.fault(("headers", name), *reason)
        seen.add(name.lower())


def _bad_name(name: str, seen: set[str]) -> tuple[str, str] | None:
    """Return what was found and what was expected, or None if the name can be used."""
    if not re.fullmatch(r"[!-9;-~]{1,60}", name):
        return "is not a header name", "expected letters, digits and hyphens (RFC 5322, section 2.2)"
    if name.lower() in RESERVED or name.lower().startswith("resent-"):
        return "is written by mail-sender itself", "leave it out"
    if name.lower() in seen:
        return "is set twice", "header names that differ only in case are the same (RFC 5322)"
    return None


def _bad_value(name: str, value: object) -> tuple[str, str] | None:
    if not isinstance(value, str):  # the key's own check reports it
        return None
    if not (value.isascii() and value.isprintable() and value.strip()):
        found = "is empty, or contains a line break or a character that is not ASCII"
        return found, "expected one line of ASCII text"
    if len(name) + len(value) > LONGEST_HEADER:
        expected = "expected a line of at most 998 octets (RFC 5322, section 2.1.1)"
        return f"has {len(value)} characters", expected
    return None
