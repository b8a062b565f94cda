"""Reads a DMARC record (RFC 7489, section 6.3, with the tags that DMARCbis adds: np, psd, t)."""

import re
from dataclasses import dataclass

from mail_sender.doctor.domain.answer import quoted
from mail_sender.doctor.domain.tags import BadTags, tags

_POLICIES = frozenset({"none", "quarantine", "reject"})
_VERSION = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|$)")
_MEANT = re.compile(r"[\s\"']*v?\s*=?\s*dmarc", re.IGNORECASE)


class BadDmarc(ValueError):
    """Mailboxes ignore the record, or a part of it that matters; the message says why."""


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy: `policy` for the domain itself, `subdomain_policy` for those below it (none, quarantine, reject).

    `is_strict_dkim` and `is_strict_spf` say that a parent's or a sibling's name does not align. `reports` are the
    URIs for aggregate reports. `percent` is how much of the mail the policy is for. `psd` is "y" for a public suffix.
    """

    policy: str
    subdomain_policy: str
    is_strict_dkim: bool = False
    is_strict_spf: bool = False
    reports: tuple[str, ...] = ()
    percent: int = 100
    psd: str = "u"


def is_dmarc(text: str) -> bool:
    """Say whether a TXT record is one of DMARC, by its version, which is case-sensitive."""
    return _VERSION.match(text) is not None


def looks_like_dmarc(text: str) -> bool:
    """Say whether somebody meant a TXT record to be one of DMARC, although its version is not spelled so."""
    return not is_dmarc(text) and _MEANT.match(text) is not None


def parse(text: str) -> DmarcRecord:
    """Return a record for which `is_dmarc` holds. Raises `BadDmarc`."""
    try:
        found = {name.lower(): value for name, value in tags(text).items()}
    except BadTags as error:
        raise BadDmarc(str(error)) from None
    policy, subdomain = found.get("p", "").lower(), found.get("sp", found.get("p", "")).lower()
    for name, value in (("p", policy), ("sp", subdomain)):
        if not value:
            raise BadDmarc("it has no p=, the policy")
        if value not in _POLICIES:
            raise BadDmarc(f"{name}={quoted(value, 20)} is none of none, quarantine and reject")
    reports = tuple(uri.strip() for uri in found.get("rua", "").split(",") if uri.strip())
    if odd := next((uri for uri in reports if not re.match(r"(?:mailto|https?):.", uri, re.IGNORECASE)), None):
        raise BadDmarc(f"rua={quoted(odd, 40)} is no URI; write mailto: before an address")
    percent = found.get("pct", "100")
    if not re.fullmatch(r"\d{1,3}", percent) or int(percent) > 100:
        raise BadDmarc(f"pct={quoted(percent, 20)} is no number from 0 to 100")
    return DmarcRecord(
        policy=policy,
        subdomain_policy=subdomain,
        is_strict_dkim=found.get("adkim", "r").lower() == "s",
        is_strict_spf=found.get("aspf", "r").lower() == "s",
        reports=reports,
        percent=0 if found.get("t", "").lower() == "y" else int(percent),
        psd=found.get("psd", "u").lower(),
    )
