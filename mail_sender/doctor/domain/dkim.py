"""DKIM keys of the From domain (RFC 6376), by which the relay may sign.

DNS cannot list selectors. Where the configuration names them, each must have a good key. Otherwise the usual ones of
the relay's provider are tried. A key may also stand at a domain above the From domain, since DMARC is content with a
signature of either (relaxed alignment).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mail_sender.doctor.domain import dkim_key
from mail_sender.doctor.domain.answer import Answer, Ask, Kind, quoted
from mail_sender.doctor.domain.dkim_key import BadKey, DkimKey
from mail_sender.doctor.domain.providers import OF_ANYBODY, Provider
from mail_sender.doctor.finding import Finding, Topic

_MARK = "._domainkey."
_MOST_PARENTS = 3
_LEAST_BITS, _GOOD_BITS = 1024, 2048  # RFC 8301, section 3.2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key may stand: a selector at a domain, and what DNS says of it."""

    selector: str
    domain: str
    answer: Answer

    @property
    def name(self) -> str:
        """The name in DNS."""
        return f"{self.selector}{_MARK}{self.domain}"

    @property
    def keys(self) -> list[str]:
        """The records that are meant to be keys."""
        return [text for text in self.answer.records if dkim_key.is_key(text)]


def selectors_of(provider: Provider | None) -> Sequence[str]:
    """Return the selectors that are worth a try."""
    return provider.selectors if provider else OF_ANYBODY


async def look_up(domain: str, selectors: Sequence[str], ask: Ask) -> list[Place]:
    """Look each selector up at the domain, and at those above it until a record is there."""
    return list(await asyncio.gather(*(_place(selector, domain, ask) for selector in selectors)))


async def _place(selector: str, domain: str, ask: Ask) -> Place:
    """Return where a selector's record is; a selector may be written with its domain."""
    bare, mark, own_domain = selector.rstrip(".").partition(_MARK)
    first = Place(bare, own_domain or domain, await ask(f"{bare}{_MARK}{own_domain or domain}", Kind.TXT))
    place, above = first, [] if mark else _above(domain)
    while above and not place.keys and not place.answer.failed:
        parent = above.pop(0)
        place = Place(bare, parent, await ask(f"{bare}{_MARK}{parent}", Kind.TXT))
    return place if place.keys else first


def _above(domain: str) -> list[str]:
    """Return the domains above one, but for the top level."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)][:_MOST_PARENTS]


def signing_domains(places: Sequence[Place]) -> set[str]:
    """Return the domains at which there is a key that verifiers take."""
    return {place.domain for place in places if any(_is_good(text) for text in place.keys)}


def _is_good(text: str) -> bool:
    try:
        return dkim_key.parse(text).bits >= 256
    except BadKey:
        return False


def findings(domain: str, places: Sequence[Place], provider: Provider | None, *, configured: bool) -> list[Finding]:
    """Return what is right and wrong with each selector's key; of guessed ones, only of those that are there."""
    if configured:
        return [_of_place(place) for place in places]
    found = [place for place in places if place.keys]
    if any(place.domain in signing_domains(places) for place in found):
        return [_of_place(place) for place in found if not _is_all_revoked(place)]
    return [*map(_of_place, found)] or [_none_found(domain, places, provider)]


def _is_all_revoked(place: Place) -> bool:
    try:
        return all(dkim_key.parse(text).is_revoked for text in place.keys)
    except BadKey:
        return False


def _none_found(domain: str, places: Sequence[Place], provider: Provider | None) -> Finding:
    failed = next((place for place in places if place.answer.failed), None)
    if failed:
        return _unknown(failed)
    dangling = next((place for place in places if place.answer.alias), None)
    if dangling:
        seen = f"{dangling.name} leads to {dangling.answer.alias}, where there is no DKIM key"
        return Topic.DOMAIN.warning("dkim", seen, "switch DKIM on for this domain at the relay's provider")
    if provider and not places:
        seen = f"DKIM is not checked: {provider.name} makes selectors that cannot be guessed"
    else:
        tried = ", ".join(place.selector for place in places)
        whose = f"the usual selectors of {provider.name}" if provider else "the usual selectors"
        seen = f"no DKIM key of {domain} is found at {whose} ({tried})"
    advice = (
        "have the relay sign for this domain, and write its selector into [doctor] dkim_selectors; it is s= in the "
        "DKIM-Signature of a mail that arrived"
    )
    return Topic.DOMAIN.warning("dkim", seen, advice)


def _unknown(place: Place) -> Finding:
    seen = f"{place.name} cannot be looked up: {place.answer.reason}"
    return Topic.DOMAIN.warning("dkim", seen, "try again; if it lasts, see to the domain's name servers")


def _of_place(place: Place) -> Finding:
    alias = f", an alias of {place.answer.alias}," if place.answer.alias else ""
    if place.answer.failed:
        return _unknown(place)
    if not place.answer.records:
        seen = f"there is no DKIM key at {place.name}{alias and alias[:-1]}: signatures by it fail"
        advice = (
            "publish the TXT record (or CNAME) that the relay's provider shows, or correct [doctor] dkim_selectors"
        )
        return Topic.DOMAIN.fault("dkim", seen, advice)
    if not place.keys:
        seen = f"what stands at {place.name}{alias} is no DKIM key: {quoted(place.answer.records[0], 40)}"
        return Topic.DOMAIN.fault("dkim", seen, "publish the key that the relay's provider shows there")
    if len(place.keys) > 1:
        seen = f"there are {len(place.keys)} DKIM keys at {place.name}{alias}: mailboxes take any one of them"
        return Topic.DOMAIN.fault("dkim", seen, "leave only the key by which the relay signs; give others a selector")
    try:
        return _of_key(place.name, dkim_key.parse(place.keys[0]))
    except BadKey as error:
        seen = f"nobody can use the DKIM key at {place.name}{alias}: {error}"
        return Topic.DOMAIN.fault(
            "dkim", seen, "publish the record once more, whole, as the relay's provider shows it"
        )


def _of_key(name: str, key: DkimKey) -> Finding:
    if key.is_revoked:
        seen = f"the DKIM key at {name} is revoked (its p= is empty): signatures by it fail"
        return Topic.DOMAIN.fault(
            "dkim", seen, "publish the key by which the relay signs, or let it sign by another one"
        )
    size = "Ed25519" if key.algorithm == "ed25519" else f"RSA, {key.bits} bits"
    if key.algorithm == "rsa" and key.bits < _LEAST_BITS:
        seen = f"the DKIM key at {name} is too short ({size}): mailboxes ignore signatures by it (RFC 8301)"
        return Topic.DOMAIN.fault("dkim", seen, f"make a key of {_GOOD_BITS} bits, and publish it")
    if key.is_testing:
        seen = f"the DKIM key at {name} is marked as a test (t=y): mailboxes may ignore signatures by it"
        return Topic.DOMAIN.warning("dkim", seen, "remove t=y from the record")
    if key.algorithm == "rsa" and key.bits < _GOOD_BITS:
        seen = f"the DKIM key at {name} is short ({size})"
        return Topic.DOMAIN.warning(
            "dkim", seen, f"{_GOOD_BITS} bits are advised (RFC 8301): make a new key when you can"
        )
    return Topic.DOMAIN.ok("dkim", f"the DKIM key at {name} is good ({size})")
