"""Does a mail domain take mail? Bounces go to the From address, and replies to the Reply-To address."""

import asyncio
from dataclasses import dataclass

from mail_sender.doctor.domain.answer import Answer, Ask, Kind, Outcome, mx_hosts
from mail_sender.doctor.finding import Finding, Topic

_NULL_MX = "."
_MOST_HOSTS = 5
_SHOWN_HOSTS = 3


@dataclass(frozen=True, slots=True)
class MailDomain:
    """What DNS says: the MX records, and the addresses of the hosts to which mail goes, each under its name.

    Without MX records mail goes to the domain's own addresses (RFC 5321, section 5.1).
    """

    mx: Answer
    addresses: dict[str, tuple[Answer, ...]]

    def hosts(self, outcome: Outcome) -> list[str]:
        """Return the hosts of which an address was found, or all look-ups ended so."""
        return [host for host, answers in self.addresses.items() if _outcome(answers) is outcome]


def _outcome(answers: tuple[Answer, ...]) -> Outcome:
    outcomes = {answer.outcome for answer in answers}
    return next(one for one in (Outcome.FOUND, Outcome.FAILED, Outcome.EMPTY, Outcome.NO_NAME) if one in outcomes)


async def look_up(domain: str, ask: Ask) -> MailDomain:
    """Look up where a domain's mail goes; of many MX hosts, the preferred ones."""
    mx = await ask(domain, Kind.MX)
    if mx.failed or mx.outcome is Outcome.NO_NAME:
        return MailDomain(mx, {})
    hosts = [host for host in mx_hosts(mx) if host != _NULL_MX][:_MOST_HOSTS] if mx.records else [domain]
    found = await asyncio.gather(*(asyncio.gather(ask(host, Kind.A), ask(host, Kind.AAAA)) for host in hosts))
    return MailDomain(mx, {host: tuple(answers) for host, answers in zip(hosts, found, strict=True)})


def finding(check: str, domain: str, found: MailDomain) -> Finding:
    """Return what it means for mail that is sent to this domain."""
    if found.mx.failed:
        return Topic.DOMAIN.warning(check, f"{domain} cannot be looked up: {found.mx.reason}", _SERVERS)
    if found.mx.outcome is Outcome.NO_NAME:
        advice = f"correct {_key(check)}, or register the domain and give it an MX record"
        return Topic.DOMAIN.fault(check, f"{domain} does not exist in DNS (NXDOMAIN): {_lost(check)}", advice)
    if not found.mx.records:
        return _without_mx(check, domain, found)
    if _NULL_MX in mx_hosts(found.mx):
        advice = f"use a domain that takes mail as {_key(check)}, or replace the null MX by a mail server"
        return Topic.DOMAIN.fault(check, f"{domain} takes no mail (null MX, RFC 7505): {_lost(check)}", advice)
    return _with_mx(check, domain, found)


def _key(check: str) -> str:
    return "mail_reply_to_address" if check == "reply_to_domain" else "mail_from_address"


def _lost(check: str) -> str:
    return (
        "replies cannot land" if check == "reply_to_domain" else "bounces cannot land, and mailboxes refuse its mail"
    )


def _with_mx(check: str, domain: str, found: MailDomain) -> Finding:
    with_address, failed = found.hosts(Outcome.FOUND), found.hosts(Outcome.FAILED)
    without = [host for host in found.addresses if host not in (*with_address, *failed)]
    hosts = ", ".join(mx_hosts(found.mx)[:_SHOWN_HOSTS])
    if failed and not with_address:
        reason = next(answer.reason for answer in found.addresses[failed[0]] if answer.failed)
        return Topic.DOMAIN.warning(
            check, f"the MX of {domain}, {failed[0]}, cannot be looked up: {reason}", _SERVERS
        )
    if not with_address:
        advice = "give the host that the MX record names an A or AAAA record"
        return Topic.DOMAIN.fault(check, f"no MX of {domain} has an address ({hosts}): {_lost(check)}", advice)
    if without:
        advice = "remove this MX record, or give its host an address: mail to it waits until the next host is tried"
        return Topic.DOMAIN.warning(check, f"an MX of {domain} has no address ({', '.join(without)})", advice)
    return Topic.DOMAIN.ok(check, f"{domain} takes mail at {hosts}")


_SERVERS = (
    "try again; if it lasts, the domain's name servers or its DNSSEC are broken, and mailboxes put its mail off"
)


def _without_mx(check: str, domain: str, found: MailDomain) -> Finding:
    answers = found.addresses.get(domain, ())
    records = [record for answer in answers for record in answer.records]
    if records:
        seen = f"{domain} has no MX record: bounces and replies go to its own address, {records[0]}"
        return Topic.DOMAIN.warning(check, seen, "add an MX record, unless a mail server really listens there")
    if any(answer.failed for answer in answers):
        return Topic.DOMAIN.warning(check, f"{domain} has no MX, and its address cannot be looked up", _SERVERS)
    seen = f"{domain} has neither an MX record nor an address: {_lost(check)}"
    return Topic.DOMAIN.fault(
        check, seen, f"add an MX record for {domain}, pointing to the server that takes its mail"
    )
