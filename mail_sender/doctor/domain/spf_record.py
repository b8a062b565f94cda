"""Reads an SPF record (RFC 7208, section 12): its directives, in their order, and where it redirects to."""

import ipaddress
import re
from dataclasses import dataclass

from mail_sender.doctor.domain.answer import quoted

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MACRO = r"%\{[slodiphvSLODIPHV]\d*[rR]?[.\-+,/_=]*\}|%%|%_|%-"
_MACRO_STRING = re.compile(rf"(?:{_MACRO}|[!-$&-~])*")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)")
_DIRECTIVE = re.compile(r"([-+~?]?)([A-Za-z0-9]+)(?::(.*?))?((?:/\d+)?(?://\d+)?)")
_ENDS_WELL = re.compile(rf"(?:{_MACRO})$|\.(?=[A-Za-z0-9-]*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?$")
_MECHANISMS = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
_WITH_DOMAIN = frozenset({"include", "exists"})
_VERSION = "v=spf1"


class BadSpf(ValueError):
    """The record breaks the grammar; the message says where and how."""


@dataclass(frozen=True, slots=True)
class Directive:
    """A mechanism with its qualifier (`+`, `-`, `~` or `?`).

    `target` is the domain as it is written, with its macros, or empty for the record's own domain. `network` is that
    of ip4 and ip6. `prefixes` are the lengths that count for IPv4 and IPv6 addresses of a and mx.
    """

    text: str
    qualifier: str
    mechanism: str
    target: str = ""
    network: Network | None = None
    prefixes: tuple[int, int] = (32, 128)


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """The directives up to `all`, and the target of `redirect`, which counts only where there is no `all`.

    `ignored` are the terms that stand after `all`, which nobody evaluates (section 5.1).
    """

    directives: tuple[Directive, ...]
    redirect: str | None = None
    ignored: tuple[str, ...] = ()


def is_spf(text: str) -> bool:
    """Say whether a TXT record is one of SPF, by its version (section 4.5)."""
    return text.lower() == _VERSION or text.lower().startswith(_VERSION + " ")


def looks_like_spf(text: str) -> bool:
    """Say whether somebody meant a TXT record to be one of SPF, although its version is not spelled so."""
    return not is_spf(text) and re.match(r"[\s\"']*v?\s*=?\s*spf", text, re.IGNORECASE) is not None


def parse(text: str) -> SpfRecord:
    """Return a record for which `is_spf` holds. Raises `BadSpf`."""
    directives: list[Directive] = []
    modifiers: dict[str, str] = {}
    ignored: list[str] = []
    for term in text[len(_VERSION) :].split(" "):
        if not term:
            continue
        if match := _MODIFIER.fullmatch(term):
            _add_modifier(modifiers, match[1].lower(), match[2], term)
        elif directives and directives[-1].mechanism == "all":
            _directive(term)
            ignored.append(term)
        else:
            directives.append(_directive(term))
    has_all = bool(directives) and directives[-1].mechanism == "all"
    return SpfRecord(tuple(directives), None if has_all else modifiers.get("redirect"), tuple(ignored))


def _add_modifier(modifiers: dict[str, str], name: str, value: str, term: str) -> None:
    if name in _MECHANISMS:
        raise BadSpf(f"{quoted(term)} has = where : belongs")
    if name in modifiers and name in {"redirect", "exp"}:
        raise BadSpf(f"{name}= stands there twice")
    if name in {"redirect", "exp"}:
        _check_domain(value, term)
    elif not _MACRO_STRING.fullmatch(value):
        raise BadSpf(f"{quoted(term)} holds a character that must not stand there")
    modifiers[name] = value


def _directive(term: str) -> Directive:
    name = re.sub(r"^[-+~?]", "", term).partition(":")[0].partition("/")[0].lower()
    if name not in _MECHANISMS:
        raise BadSpf(f"{quoted(term)} is no mechanism of SPF{_hint(term, name)}")
    qualifier = term[0] if term[0] in "-+~?" else "+"
    if name in {"ip4", "ip6"}:
        return Directive(term, qualifier, name, network=_network(name, term.partition(":")[2], term))
    match = _DIRECTIVE.fullmatch(term)
    if not match:
        raise BadSpf(f"{quoted(term)} is no term of SPF")
    target, prefixes = match[3], match[4]
    if name == "all" and (target is not None or prefixes):
        raise BadSpf(f"{quoted(term)}: nothing may follow all")
    if name in _WITH_DOMAIN and not target:
        raise BadSpf(f"{quoted(term)} names no domain")
    if target is not None:
        _check_domain(target, term)
    if prefixes and name not in {"a", "mx"}:
        raise BadSpf(f"{quoted(term)} must not have a prefix length")
    return Directive(term, qualifier, name, target or "", prefixes=_prefixes(prefixes, term))


def _hint(term: str, name: str) -> str:
    if term.endswith((",", ";")):
        return "; terms are parted by spaces alone"
    if name in {"ip", "ipv4", "ipv6"}:
        return "; write ip4: or ip6:"
    if re.fullmatch(r"[0-9.]+|[0-9a-f]*", name) and "." in term + name:
        return "; an address needs ip4: or ip6: before it"
    return "; a host needs a: before it, a provider's record include:" if "." in name else ""


def _network(name: str, value: str, term: str) -> Network:
    try:
        if not value or re.search(r"/0\d", value):
            raise ValueError("no address, or a prefix length with a zero before it")
        if name == "ip4":
            return ipaddress.IPv4Network(value, strict=False)
        return ipaddress.IPv6Network(value, strict=False)
    except ValueError:
        raise BadSpf(f"{quoted(term)} holds no IPv{name[-1]} address") from None


def _check_domain(target: str, term: str) -> None:
    if not _MACRO_STRING.fullmatch(target):
        raise BadSpf(f"{quoted(term)} holds a character that must not stand there")
    if re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:]*::?[0-9A-Fa-f:]*", target):
        raise BadSpf(f"{quoted(term)} needs a domain; an address needs ip4: or ip6: before it")
    if not _ENDS_WELL.search(target):
        raise BadSpf(f"{quoted(term)} names no domain")


def _prefixes(text: str, term: str) -> tuple[int, int]:
    four, _, six = text.partition("//")
    lengths = int(four.removeprefix("/") or 32), int(six or 128)
    if lengths[0] > 32 or lengths[1] > 128:
        raise BadSpf(f"{quoted(term)} has a prefix that is too long")
    return lengths
