"""Disposable domains: those of mailboxes that anybody makes and throws away, as the operator's list has them.

The list has one domain on a line. Comments (`#`) and blank lines do not count. A domain stands for all names below
it, too. Domains are compared in ASCII (IDNA 2008), in lower case.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mail_sender.names import address, hostname

MOST_BYTES = 8 * 1024 * 1024
"""The longest list that is read; the long public ones have about 3 MB."""
MOST_BEYOND_ASCII = 10_000
"""Domains of a list that are written beyond ASCII, which takes long to read; public lists have a few dozen."""

_PLAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
"""What `hostname.to_ascii` would return as it is, as nearly all lines are: mail waits while a list is read."""


class BadList(ValueError):
    """The file is no list of domains; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Disposable:
    """The domains, and whether mail to them is refused; otherwise it is mailed with a warning."""

    domains: frozenset[str] = frozenset()
    refuses: bool = False

    def listed(self, recipient: str) -> str | None:
        """Return the domain on the list to which a recipient's domain belongs, or None."""
        if not self.domains:
            return None
        return next((name for name in _with_parents(address.domain(recipient)) if name in self.domains), None)


def read(path: Path) -> frozenset[str]:
    """Return the domains of a list. Raises `BadList`, and `OSError` if it cannot be read."""
    if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):
        raise BadList("is not a regular file")  # a pipe may never end, or never begin
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BadList(f"has more than {MOST_BYTES // 1024 // 1024} MB")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadList(f"byte {error.start} is not UTF-8") from None
    if sum(not line.isascii() for line in lines) > MOST_BEYOND_ASCII:
        raise BadList(f"has more than {MOST_BEYOND_ASCII} lines beyond ASCII: write them as xn--... (IDNA 2008)")
    return frozenset(name for number, line in enumerate(lines, 1) if (name := _domain(number, line)))


def _domain(number: int, line: str) -> str:
    """Return the domain on a line, or an empty text."""
    if _PLAIN.fullmatch(line):
        return line
    if not (name := line.partition("#")[0].strip()):
        return ""
    if ":" in name:
        raise BadList(f"line {number}: it holds ':', which no domain may have")
    bare = name.removeprefix("@").removeprefix("*").removeprefix(".").removesuffix(".")
    if bare.isascii() and _PLAIN.fullmatch(bare.lower()):
        return bare.lower()
    try:
        return hostname.to_ascii(bare).lower()
    except hostname.BadHostName as error:
        raise BadList(f"line {number}: {error}") from None


def _with_parents(domain: str) -> Iterator[str]:
    """Yield a domain, and the names that it stands below: `a.example.com`, `example.com`, `com`."""
    name = domain.removesuffix(".").lower()
    while name:
        yield name
        name = name.partition(".")[2]
