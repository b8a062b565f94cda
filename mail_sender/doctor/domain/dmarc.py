"""DMARC of the From domain (RFC 7489): what mailboxes do with mail in its name that neither SPF nor DKIM vouches for.

The record of the domain itself counts, else the one of its organisation. That is found by the tree walk of DMARCbis
(section 4.10), which needs no list of public suffixes: each name above the domain is asked.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mail_sender.doctor.domain.answer import Answer, Ask, Kind, quoted
from mail_sender.doctor.domain.dmarc_record import BadDmarc, DmarcRecord, is_dmarc, looks_like_dmarc, parse
from mail_sender.doctor.domain.providers import Provider
from mail_sender.doctor.finding import Finding, Topic

_MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk: a domain, and what stands at its `_dmarc`."""

    domain: str
    answer: Answer

    @property
    def records(self) -> list[str]:
        """The TXT records that are DMARC's."""
        return [text for text in self.answer.records if is_dmarc(text)]


def walk(domain: str) -> list[str]:
    """Return the domains that are asked, from the longest to the top level; long names skip to seven labels."""
    labels = domain.rstrip(".").split(".")
    start = len(labels) - _MOST_LABELS + 1 if len(labels) > _MOST_LABELS else 1
    return [domain, *(".".join(labels[index:]) for index in range(start, len(labels)))]


async def look_up(domain: str, ask: Ask) -> list[Step]:
    """Look up every step of the walk."""
    domains = walk(domain)
    answers = await asyncio.gather(*(ask(f"_dmarc.{one}", Kind.TXT) for one in domains))
    return [Step(one, answer) for one, answer in zip(domains, answers, strict=True)]


def policy_step(steps: Sequence[Step]) -> Step | None:
    """Return the step whose record counts: the domain's own, else the one of the organisation."""
    found = [step for step in steps if step.records]
    if not found or found[0] is steps[0]:
        return found[0] if found else None
    for step in found:
        psd = _psd(step)
        if psd == "n":
            return step
        if psd == "y":  # the organisation is one label below a public suffix
            below = (one for one in found if one.domain.partition(".")[2] == step.domain)
            return next(below, step)
    return found[-1]


def _psd(step: Step) -> str:
    try:
        return parse(step.records[0]).psd
    except BadDmarc:
        return "u"


def findings(domain: str, steps: Sequence[Step], at_domain: Answer) -> list[Finding]:
    """Return what is right and wrong with the policy; `at_domain` are the TXT records of the domain itself."""
    failed = next((step for step in steps[:-1] or steps if step.answer.failed), None)
    step = policy_step(steps)
    if failed and (step is None or steps.index(failed) < steps.index(step)):
        seen = f"_dmarc.{failed.domain} cannot be looked up: {failed.answer.reason}"
        return [Topic.DOMAIN.warning("dmarc", seen, "try again; if it lasts, see to the domain's name servers")]
    if step is None:
        return [_missing(domain, steps, at_domain)]
    if len(step.records) > 1:
        seen = f"_dmarc.{step.domain} has {len(step.records)} DMARC records, so that none of them counts"
        return [Topic.DOMAIN.fault("dmarc", seen, "leave one of them")]
    try:
        record = parse(step.records[0])
    except BadDmarc as error:
        seen = f"the DMARC record at _dmarc.{step.domain} breaks the grammar: {error}"
        return [
            Topic.DOMAIN.fault("dmarc", seen, "correct the record: mailboxes ignore it, or read none for its policy")
        ]
    return list(_of_record(domain, step, record))


def _missing(domain: str, steps: Sequence[Step], at_domain: Answer) -> Finding:
    advice = f'add a TXT record at _dmarc.{domain}: "v=DMARC1; p=none; rua=mailto:..." with an address for reports'
    near = [
        (f"_dmarc.{step.domain}", text) for step in steps for text in step.answer.records if looks_like_dmarc(text)
    ]
    near += [(domain, text) for text in at_domain.records if is_dmarc(text)]
    if near:
        place, text = near[0]
        why = f"it stands at {domain} itself" if place == domain else "it does not begin with v=DMARC1;"
        seen = f"{domain} has no DMARC record; {quoted(text)} at {place} is ignored, because {why}"
        return Topic.DOMAIN.fault("dmarc", seen, advice)
    seen = f"{domain} has no DMARC record: Gmail, Yahoo and Outlook want one from those who send much"
    return Topic.DOMAIN.warning("dmarc", seen, advice)


def _of_record(domain: str, step: Step, record: DmarcRecord) -> Iterator[Finding]:
    policy = record.policy if step.domain == domain else record.subdomain_policy
    where = f"_dmarc.{step.domain}"
    if 0 < record.percent < 100 or (record.percent == 0 and policy != "none"):
        seen = f"the DMARC policy at {where} is for {record.percent} % of the mail alone"
        yield Topic.DOMAIN.warning("dmarc", seen, "remove pct= and t= once the policy is the one that you want")
    seen = f"{where} has a DMARC policy for {domain}: {policy}"
    if not record.reports:
        seen += "; nobody gets its reports (no rua=)"
    yield Topic.DOMAIN.ok("dmarc", seen)


def alignment(
    domain: str, steps: Sequence[Step], provider: Provider | None, signing_domains: set[str]
) -> list[Finding]:
    """Say by what our mail aligns: DMARC passes if SPF or DKIM passes for the domain in From, or a related one."""
    step = policy_step(steps)
    try:
        strict_dkim = step is not None and parse(step.records[0]).is_strict_dkim
    except BadDmarc:
        strict_dkim = False
    aligned = {one for one in signing_domains if one == domain or not strict_dkim}
    if aligned:
        seen = f"a DKIM signature of {min(aligned)} aligns with From"
        return [Topic.DOMAIN.ok("alignment", seen)]
    if strict_dkim and signing_domains:
        seen = f"DKIM keys are at {', '.join(sorted(signing_domains))} only, and adkim=s asks for one at {domain}"
        advice = f"have the relay sign as {domain}, or remove adkim=s from the DMARC record"
        return [Topic.DOMAIN.warning("alignment", seen, advice)]
    if provider and provider.own_envelope:
        seen = f"{provider.name} uses an envelope sender of its own: only its DKIM signature for {domain} can align"
        advice = (
            f"verify {domain} at {provider.name}, so that it signs for this domain; then try -t and doctor --received"
        )
        return [Topic.DOMAIN.warning("alignment", seen, advice)]
    seen = f"the envelope sender is the From address: SPF aligns, where it passes; no DKIM key of {domain} was found"
    return [Topic.DOMAIN.ok("alignment", seen)]
