"""SPF of the From domain (RFC 7208): who may send in its name.

Our mails carry the From address as envelope sender, so this is the domain that mailboxes ask, unless the provider
replaces the envelope sender by one of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mail_sender.doctor.domain import spf_coverage
from mail_sender.doctor.domain.answer import Answer, Ask, Kind, quoted
from mail_sender.doctor.domain.spf_coverage import Relay
from mail_sender.doctor.domain.spf_evaluation import COUNTED, MOST_LOOKUPS, MOST_VOID, Evaluation, Result
from mail_sender.doctor.domain.spf_macros import Ip, Mail
from mail_sender.doctor.domain.spf_record import BadSpf, SpfRecord, is_spf, looks_like_spf, parse
from mail_sender.doctor.finding import Finding, Level, Topic

_MOST_ADDRESSES = 4


@dataclass(frozen=True, slots=True)
class Spf:
    """What DNS says. `counted` is the evaluation for an address that nothing names, with its result `others`.

    `relay` holds what SPF says of each address of the relay.
    """

    texts: Answer
    counted: Evaluation
    others: Result
    relay: dict[Ip, Result]


async def look_up(sender: str, helo: str, relay: Relay, ask: Ask) -> Spf:
    """Evaluate the record of the sender's domain, for nobody's address and for the relay's."""
    domain = sender.rpartition("@")[2]
    texts = await ask(domain, Kind.TXT)
    counted = Evaluation(ask, Mail(sender, helo, None))
    others = await counted.check(domain)
    results = {}
    if others in {Result.FAIL, Result.SOFTFAIL, Result.NEUTRAL}:
        for ip in relay.addresses[:_MOST_ADDRESSES]:
            results[ip] = await Evaluation(ask, Mail(sender, helo, ip)).check(domain)
    return Spf(texts, counted, others, results)


def findings(domain: str, relay: Relay, spf: Spf) -> list[Finding]:
    """Return what is right and wrong with the record, and whether it covers the relay."""
    records = [text for text in spf.texts.records if is_spf(text)]
    if spf.texts.failed:
        seen = f"the TXT records of {domain} cannot be looked up: {spf.texts.reason}"
        return [Topic.DOMAIN.warning("spf", seen, "try again; if it lasts, see to the domain's name servers")]
    if not records:
        return [_missing(domain, relay, spf.texts)]
    if len(records) > 1:
        shown = " and ".join(map(quoted, records[:2]))
        seen = f"{domain} has {len(records)} SPF records, so that none of them counts: {shown}"
        return [
            Topic.DOMAIN.fault("spf", seen, "make one record of them: one v=spf1, all mechanisms, one all at the end")
        ]
    try:
        record = parse(records[0])
    except BadSpf as error:
        seen = f"the SPF record of {domain} breaks the grammar: {error}"
        return [
            Topic.DOMAIN.fault("spf", seen, "correct it: mailboxes treat a broken record as an error (permerror)")
        ]
    faults = list(_faults(domain, records[0], record, spf))
    if any(finding.level is Level.FAULT for finding in faults):
        return faults
    seen = f"{domain}: {quoted(records[0])}, {spf.counted.lookups} of {MOST_LOOKUPS} look-ups"
    passed = [ip for ip, result in spf.relay.items() if result is Result.PASS]
    coverage = [spf_coverage.finding(domain, relay, record, spf.counted.domains, passed)] if relay.host else []
    return [*(faults or [Topic.DOMAIN.ok("spf", seen)]), *coverage]


def _missing(domain: str, relay: Relay, texts: Answer) -> Finding:
    near = next((text for text in texts.records if looks_like_spf(text)), None)
    if near:
        seen = (
            f"{domain} has no SPF record; {quoted(near)} is none, because it does not begin with v=spf1 and a space"
        )
        return Topic.DOMAIN.fault("spf", seen, 'correct its beginning to "v=spf1 "')
    include = f" include:{relay.provider.spf[0]}" if relay.provider and relay.provider.spf else ""
    example = f'"v=spf1{include or " mx"} -all"'
    if relay.provider and relay.provider.own_envelope:
        seen = f"{domain} has no SPF record; {relay.provider.name} uses an envelope sender of its own, which has one"
        advice = f"add one all the same, some mailboxes ask for it: a TXT record at {domain}: {example}"
        return Topic.DOMAIN.warning("spf", seen, advice)
    seen = (
        f"{domain} has no SPF record, which says who may send in its name (that of a domain above it does not count)"
    )
    hint = f"a TXT record at {domain}, such as {example}, with what your relay's provider names"
    return Topic.DOMAIN.fault("spf", seen, f"add {hint}")


def _faults(domain: str, text: str, record: SpfRecord, spf: Spf) -> Iterator[Finding]:
    counted = spf.counted
    if spf.others is Result.TEMPERROR:
        yield Topic.DOMAIN.warning("spf", f"SPF of {domain} cannot be judged: {counted.sentence}", "try again later")
    elif spf.others is Result.PERMERROR and counted.lookups <= MOST_LOOKUPS:
        advice = "correct the record, or the include that it names: mailboxes treat this as an error (permerror)"
        yield Topic.DOMAIN.fault("spf", f"SPF of {domain} is broken: {counted.sentence}", advice)
    if counted.lookups > MOST_LOOKUPS:
        seen = f"SPF of {domain} needs {_count(counted)} DNS look-ups; mailboxes stop at {MOST_LOOKUPS} (permerror)"
        advice = (
            "remove includes of services that no longer send for you, or replace a, mx and small includes by ip4:"
        )
        yield Topic.DOMAIN.fault("spf", seen, advice)
    if len(counted.void) > MOST_VOID:
        names = ", ".join(counted.void[:3])
        seen = (
            f"SPF of {domain} names {len(counted.void)} hosts without an address ({names}); {MOST_VOID} are allowed"
        )
        yield Topic.DOMAIN.fault("spf", seen, "remove the terms with these names")
    if spf.others is Result.PASS:
        seen = f"SPF of {domain} lets everybody send in its name: {quoted(text)}"
        yield Topic.DOMAIN.fault(
            "spf", seen, "end it with -all or ~all instead of +all, also in the records it includes"
        )
    elif spf.others is Result.NEUTRAL:
        seen = f"SPF of {domain} says nothing about other senders, since it does not end with -all or ~all"
        yield Topic.DOMAIN.warning("spf", seen, "end it with -all, or with ~all while you try it out")
    if record.ignored:
        seen = f"in the SPF record of {domain}, nobody reads what follows all: {quoted(' '.join(record.ignored))}"
        yield Topic.DOMAIN.warning("spf", seen, "move all to the end")
    if any(directive.mechanism == "ptr" for directive in record.directives):
        seen = f"the SPF record of {domain} uses ptr, which mailboxes need not evaluate (RFC 7208, section 5.5)"
        yield Topic.DOMAIN.warning("spf", seen, "replace it by ip4:, ip6:, a: or include:")


def _count(counted: Evaluation) -> str:
    more = "more than " if counted.lookups > COUNTED else ""
    return f"{more}{min(counted.lookups, COUNTED)}"
