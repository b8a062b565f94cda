"""Whether SPF of the From domain covers the relay.

From which address the relay sends cannot be seen from here: only a mail that arrived shows it. So the answer is a
warning at most, unless the record lets nobody send at all.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from mail_sender.doctor.domain.answer import Ask, Kind
from mail_sender.doctor.domain.providers import Provider, is_below, provider_of
from mail_sender.doctor.domain.spf_macros import Ip
from mail_sender.doctor.domain.spf_record import SpfRecord
from mail_sender.doctor.finding import Finding, Topic


@dataclass(frozen=True, slots=True)
class Relay:
    """The relay, as far as SPF is about it: its name, its provider, and the addresses at which it takes our mail."""

    host: str
    provider: Provider | None
    addresses: tuple[Ip, ...]

    @property
    def is_remote(self) -> bool:
        """Whether it is reached by a public address, from which it may also send."""
        return any(one.is_global for one in self.addresses)


async def relay_at(host: str, ask: Ask) -> Relay:
    """Return the relay with its addresses, as DNS has them; an empty host is a relay that is not known."""
    try:
        return Relay(host, None, (ipaddress.ip_address(host.partition("%")[0]),))
    except ValueError:
        answers = [await ask(host, kind) for kind in (Kind.A, Kind.AAAA)] if host else []
    addresses = tuple(ipaddress.ip_address(record) for answer in answers for record in answer.records)
    return Relay(host, provider_of(host), addresses)


def finding(domain: str, relay: Relay, record: SpfRecord, read: Sequence[str], passed: Sequence[Ip]) -> Finding:
    """Return whether the record covers the relay.

    `read` are the domains whose records it leads to, `passed` the relay's addresses for which it says pass.
    """
    provider = relay.provider
    covered = _covered(domain, relay, read, passed)
    if covered:
        return Topic.DOMAIN.ok("spf_relay", covered)
    if not record.redirect and not any(one.qualifier == "+" and one.mechanism != "all" for one in record.directives):
        seen = f"SPF of {domain} lets nobody send in its name, not even the relay"
        return Topic.DOMAIN.fault("spf_relay", seen, "add what your relay's provider names, before all")
    if provider and provider.spf:
        seen = f"SPF of {domain} does not include {provider.name}, whose relay {relay.host} is"
        return Topic.DOMAIN.warning("spf_relay", seen, f"add include:{provider.spf[0]} before all; then {_TRY_IT}")
    if not relay.is_remote:
        seen = f"{relay.host} is inside: the address from which it sends cannot be seen here; {_TRY_IT}"
        return Topic.DOMAIN.ok("spf_relay", seen)
    seen = f"SPF of {domain} does not name {relay.host} ({relay.addresses[0]}), which may send from another address"
    return Topic.DOMAIN.warning("spf_relay", seen, _TRY_IT)


def _covered(domain: str, relay: Relay, read: Sequence[str], passed: Sequence[Ip]) -> str:
    provider = relay.provider
    if provider and any(is_below(name, one) for name in read for one in provider.spf):
        return f"SPF of {domain} includes {provider.name}'s senders"
    if passed:
        return f"SPF of {domain} passes for {relay.host} ({passed[0]})"
    if provider and provider.own_envelope:
        return f"SPF of {domain} need not cover {provider.name}, which uses an envelope sender of its own"
    return ""


_TRY_IT = "send a test mail with -t, save it where it arrived, and run `mail-sender doctor --received FILE.eml`"
