"""Mail addresses: which are taken, their form in an envelope, and how much of one a log may show.

Identity servers hold addresses that today's grammar forbids and that still work: dots at the end or side by side
(`foo..bar.@docomo.example`), very long local parts. SMTP carries them, in quotes (RFC 5321, section 4.1.2), and the
relay judges them. What follows the @-sign must be a name that DNS can hold, or an address in brackets; company
domains (`corp.local`, `localhost`) are normal here.
"""

import re
import unicodedata

LONGEST = 994
"""Octets of an address, so that the line of the To header has at most 998 (RFC 5322, section 2.1.1)."""

_UNQUOTED = r"[^\x00-\x20\"(),:;<>@\[\\\]]"  # atext and what RFC 6531 adds to it; dots stand anywhere
_ATOMS = re.compile(_UNQUOTED + "+")
_DOT_STRING = re.compile(r"{0}+(\.{0}+)*".format(_UNQUOTED.replace("[^", "[^.")))  # RFC 5321, section 4.1.2
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)+)"')
_ESCAPED = re.compile(r"\\(.)")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_ASCII_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # RFC 1035, section 2.3.4; and underscores


class BadAddress(ValueError):
    """The text is not a bare mail address; the message says why, without repeating it."""


def parse(text: str) -> str:
    """Return the address in the form that goes into an envelope and a To header: its domain in ASCII (RFC 5890).

    The local part is quoted where it must be, and only there, so that two spellings of an address become one. A dot
    that ends the domain is left out. Raises `BadAddress` for what is not one address, such as a display name, a
    comment, a list or a source route, and for what SMTP cannot carry: control characters, nothing before or after
    the @-sign, more than `LONGEST` octets.
    """
    local, at, host = text.rpartition("@")
    if not at:
        raise BadAddress("it has no @-sign")
    found = f"{_quoted(_name(local))}@{_domain(host)}"
    if len(found.encode()) > LONGEST:
        raise BadAddress(f"it has more than {LONGEST} octets, which no line of a mail can hold")
    return found


def spellings(address: str) -> tuple[str, ...]:
    """Return how a relay may write an address: as it is, and without the quotes and escapes of its local part."""
    local, at, host = address.rpartition("@")
    return tuple(dict.fromkeys((address, f"{_bare(local)}{at}{host}")))


def domain(address: str) -> str:
    """Return the part after the last `@`."""
    return address.rpartition("@")[2]


def mask(address: str) -> str:
    """Return the address as logs show it: `e***@example.com`."""
    local, _, host = address.rpartition("@")
    return f"{local.lstrip(_NOT_SHOWN)[:1]}***@{host[:64]}" if local else "***"


def mailbox(recipient: str) -> str:
    """Return an address in the form in which two spellings of one mailbox are the same."""
    return recipient.casefold()


_NOT_SHOWN = '"\\ @'


def _bare(local: str) -> str:
    """Return a local part without its quotes and escapes, if it has any."""
    quoted = _QUOTED.fullmatch(local)
    return _ESCAPED.sub(r"\1", quoted[1]) if quoted else local


def _name(local: str) -> str:
    """Return what a local part means, in the normal form of RFC 6532, section 3.1."""
    bare = _bare(local)
    name = unicodedata.normalize("NFC", bare)
    if not name:
        raise BadAddress("there is nothing before the @-sign")
    if not name.isprintable() or unicodedata.category(name[0])[0] == "M":
        raise BadAddress("it holds a control character, or another one that cannot be shown")
    if bare == local and not _ATOMS.fullmatch(name):
        raise BadAddress(
            'it is not one bare address: a space or one of ( ) < > [ ] , ; : @ \\ " stands outside quotes'
        )
    if "=?" in name:
        raise BadAddress("it looks like an encoded word, which mail programs would show as something else")
    return name


def _quoted(name: str) -> str:
    return name if _DOT_STRING.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _domain(host: str) -> str:
    name = host.removesuffix(".")
    if _ASCII_DOMAIN.fullmatch(name):
        return name.lower()
    # It takes longer to import than any other module, and few addresses need it.
    import email_validator  # noqa: PLC0415

    # Its documentation says to allow them like this.
    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    try:
        return email_validator.validate_email(
            f"x@{name}", allow_domain_literal=True, check_deliverability=False, globally_deliverable=False
        ).ascii_domain
    except email_validator.EmailNotValidError as error:
        raise BadAddress(_first_sentence(str(error))) from None


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")
