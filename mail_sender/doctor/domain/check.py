"""Looks up and judges all that DNS says about the domains in our mail: the check of the topic "From domain".

A domain that the public DNS does not have (`corp.local`, `example.com`) is not looked up, unless the configuration
names resolvers of its own. If no resolver answers, one line says so, instead of one for every record.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from mail_sender.doctor.config import DoctorConfig
from mail_sender.doctor.domain import dkim, dmarc, dmarc_reports, free_mail, mail_domain, spf
from mail_sender.doctor.domain.answer import Ask, Kind, Outcome
from mail_sender.doctor.domain.providers import is_below
from mail_sender.doctor.domain.resolver import NoResolver, Resolver
from mail_sender.doctor.domain.spf_coverage import relay_at
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.mail.config import MailConfig
from mail_sender.names import address, special_use
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.relay_url import is_path


async def from_domain(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Yield what is right and wrong with the domains of the From and the Reply-To address."""
    if subject.mail is None:
        yield Topic.DOMAIN.skipped("from_domain", "the From address is not known, since the configuration has faults")
        return
    if isinstance(subject.relay, FolderConfig):
        yield Topic.DOMAIN.skipped("from_domain", "a dry run sends nothing: its domains are not looked up")
        return
    checked = dict[str, str]()
    for check, domain in _domains(subject.mail).items():
        if subject.doctor.nameservers or special_use.is_public(domain):
            checked[check] = domain
        else:
            yield Topic.DOMAIN.skipped(check, f"{domain} is not a domain of the public DNS: it is not looked up")
    if checked:
        async for finding in _by_dns(checked, subject.mail, subject.relay, subject.doctor):
            yield finding


async def _by_dns(
    domains: Mapping[str, str], mail: MailConfig, relay: RelayConfig | None, doctor: DoctorConfig
) -> AsyncGenerator[Finding, None]:
    try:
        resolver = Resolver(doctor.nameservers)
    except NoResolver as error:
        yield Topic.DOMAIN.warning("resolver", f"DNS is not checked: {error}", _NO_RESOLVER)
        return
    if fault := await resolver.fault(next(iter(domains.values()))):
        yield Topic.DOMAIN.warning("resolver", f"DNS is not checked: {fault}", _NO_RESOLVER)
        return
    for check, domain in domains.items():
        found = await mail_domain.look_up(domain, resolver.ask)
        yield mail_domain.finding(check, domain, found)
        if check == "from_domain" and found.mx.outcome not in {Outcome.FAILED, Outcome.NO_NAME}:
            for finding in await authentication(mail, relay, doctor.dkim_selectors, resolver.ask):
                yield finding


_NO_RESOLVER = "see to this machine's DNS (/etc/resolv.conf), or name a resolver in [doctor] nameservers"


def _domains(mail: MailConfig) -> dict[str, str]:
    """Return the domains by the checks that are about them; Reply-To only where it has another one."""
    ours, replies = address.domain(mail.from_address), address.domain(mail.reply_to_address)
    return {"from_domain": ours} | ({"reply_to_domain": replies} if replies != ours else {})


async def authentication(
    mail: MailConfig, config: RelayConfig | None, selectors: tuple[str, ...], ask: Ask
) -> list[Finding]:
    """Return what SPF, DKIM and DMARC of the From domain say."""
    domain = address.domain(mail.from_address)
    host = config.host if config and not is_path(config.host) else ""
    if host and free_mail.is_free_mail(domain):
        return [free_mail.finding(domain, host)]
    relay = await relay_at(host, ask)
    evaluated, places, steps, texts = await asyncio.gather(
        spf.look_up(mail.from_address, config.local_name if config else domain, relay, ask),
        dkim.look_up(domain, selectors or dkim.selectors_of(relay.provider), ask),
        dmarc.look_up(domain, ask),
        ask(domain, Kind.TXT),
    )
    return [
        *spf.findings(domain, relay, evaluated),
        *dkim.findings(domain, places, relay.provider, configured=bool(selectors)),
        *dmarc.findings(domain, steps, texts),
        *await dmarc_reports.findings(steps, ask),
        *dmarc.alignment(domain, steps, relay.provider, dkim.signing_domains(places)),
        *(_login(domain, config.username or "") if config else ()),
    ]


def _login(domain: str, username: str) -> list[Finding]:
    """Say that the login is of another domain: some relays then put the login's address into From."""
    login_domain = address.domain(username).lower() if "@" in username else ""
    if not login_domain or is_below(login_domain, domain) or is_below(domain, login_domain):
        return []
    seen = f"the login belongs to {login_domain}, and From to {domain}: some relays replace or refuse such a From"
    advice = "send a test mail with -t, and look at its From; if it is another one, allow this address at the relay"
    return [Topic.DOMAIN.warning("login_domain", seen, advice)]
