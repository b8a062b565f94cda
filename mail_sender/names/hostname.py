"""Host names in ASCII: IDNA 2008 with the mapping of UTS 46, non-transitional, as browsers do it.

Python looks up and verifies a name beyond ASCII by IDNA 2003, which makes `strasse.example` of `straße.example`. That
may be somebody else's domain. So each name becomes ASCII once, when the configuration is read, and nothing else is
handed to the network.
"""

import ipaddress
import re

from mail_sender.names.characters import code_point, is_invisible

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_LONGEST = 253  # octets (RFC 1035, section 2.3.4), without the dot at the end
_JOINERS = "\u200c\u200d"  # they belong to some scripts; IDNA 2008 says where (RFC 5892, appendix A)


class BadHostName(ValueError):
    """The text is no host name; the message says why, without repeating it."""


def to_ascii(name: str) -> str:
    """Return a host name with A-labels (RFC 5890), or an address without brackets. A dot at the end is kept.

    Raises `BadHostName`.
    """
    if ":" in name:
        return _ipv6(name)
    labels = (name if name.isascii() else _mapped(name)).split(".")
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    ascii_labels = [_ascii_label(label) for label in labels]
    if len(".".join(ascii_labels)) > _LONGEST:
        raise BadHostName(f"it has more than {_LONGEST} characters")
    return ".".join(ascii_labels) + ("." if name.endswith(".") else "")


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, by what is written: a loopback address, or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ipv6(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise BadHostName("it is not an IPv6 address") from None
    return text


def _mapped(name: str) -> str:
    import idna  # noqa: PLC0415 - only names beyond ASCII need it

    # The mapping drops some of these without a word: the name would not be the one that people see.
    for char in name:
        if is_invisible(char) and char not in _JOINERS:
            raise BadHostName(f"it holds {code_point(char)}, which cannot be seen")
    try:
        return idna.uts46_remap(name, std3_rules=False, transitional=False)
    except idna.IDNAError:
        raise BadHostName("it holds a character that no host name may have (IDNA 2008)") from None


def _ascii_label(label: str) -> str:
    if label.isascii():
        if not _LABEL.fullmatch(label):
            raise BadHostName(_complaint(label))
        return label
    import idna  # noqa: PLC0415 - as above

    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:
        raise BadHostName("a part of it cannot be written in ASCII (IDNA 2008)") from None


def _complaint(label: str) -> str:
    if not label:
        return "a part of it is empty"
    if odd := re.search(r"[^A-Za-z0-9_-]", label):
        char = odd[0]
        shown = code_point(char) if char == " " or is_invisible(char) else repr(char)
        return f"it holds {shown}, which no host name may have"
    return "a part of it has more than 63 characters"
