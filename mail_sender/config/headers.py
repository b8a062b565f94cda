"""The extra headers that every mail gets: what keeps one of `[headers]` from being used."""

import re
from collections.abc import Iterator

from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault
from mail_sender.mail.headers import RESERVED

LONGEST_HEADER = 990
"""Characters of an extra header, name and value: relays refuse longer lines, or break them."""


def faults(file: TomlFile) -> Iterator[ConfigFault]:
    """Yield a fault for each extra header that is none, or that is ours to write."""
    table, seen = file.values.get("headers"), set[str]()
    for name, value in table.items() if isinstance(table, dict) else ():
        if not re.fullmatch(r"[!-9;-~]{1,60}", name):
            yield file.fault(
                ("headers", name),
                "is no header's name",
                "expected letters, digits and hyphens (RFC 5322, section 2.2)",
            )
        elif name.lower() in RESERVED or name.lower().startswith("resent-"):
            yield file.fault(("headers", name), "is written by mail-sender itself", "leave it out")
        elif name.lower() in seen:
            yield file.fault(("headers", name), "stands there twice", "upper and lower case are one (RFC 5322)")
        elif isinstance(value, str) and not (value.isascii() and value.isprintable() and value.strip()):
            yield file.fault(
                ("headers", name),
                "empty, or holds a line break or a character that is not ASCII",
                "expected one line of ASCII text",
            )
        elif isinstance(value, str) and len(name) + len(value) > LONGEST_HEADER:
            found, expected = f"{len(value)} characters", "its line may have 998 octets (RFC 5322, section 2.1.1)"
            yield file.fault(("headers", name), found, expected)
        seen.add(name.lower())
