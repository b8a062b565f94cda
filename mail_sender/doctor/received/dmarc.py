"""DMARC as the mailbox saw it, and what some mailboxes say beyond: Microsoft's compauth, and iprev."""

from collections.abc import Iterator

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.received.lexical import shown
from mail_sender.doctor.received.verdict import Verdict

_NO_RECORD = frozenset({"none", "bestguesspass"})


def finding(verdict: Verdict) -> Finding:
    """Return what DMARC says of the mail."""
    results, domain = verdict.believed.of("dmarc"), verdict.from_domain
    if not results:
        return _unsaid(verdict)
    one = results[0]
    action = one.about("action", "policy.applied-disposition", "policy.dmarc")
    did = f"; the mailbox did: {shown(action, 30)}" if action and action != "none" else ""
    if one.result == "pass":
        return Topic.RECEIVED.ok("dmarc", f"DMARC passes for {domain}")
    if one.result in _NO_RECORD:
        advice = f'add a TXT record at _dmarc.{domain}, such as "v=DMARC1; p=none"'
        return Topic.RECEIVED.warning("dmarc", f"the mailbox found no DMARC record of {domain}{did}", advice)
    if one.result == "temperror":
        advice = "send another test mail; if it lasts, see to the domain's name servers"
        return Topic.RECEIVED.warning("dmarc", "the mailbox could not look up DMARC (temperror)", advice)
    if one.result == "permerror":
        advice = "run `mail-sender doctor`, which says what is wrong with the record"
        return Topic.RECEIVED.fault("dmarc", f"the DMARC record of {domain} is broken (permerror)", advice)
    seen = f"DMARC fails for {domain} ({shown(one.result, 20)}): neither SPF nor DKIM passes for it{did}"
    return Topic.RECEIVED.fault(
        "dmarc", seen, "correct SPF or DKIM, as said above: one that passes and aligns is enough"
    )


def _unsaid(verdict: Verdict) -> Finding:
    if verdict.aligns_by_spf or verdict.aligned_signature:
        return Topic.RECEIVED.ok("dmarc", "the mailbox says nothing about DMARC; by SPF or DKIM it would pass")
    seen = "the mailbox says nothing about DMARC, and neither SPF nor DKIM passes for From"
    return Topic.RECEIVED.warning("dmarc", seen, "correct SPF or DKIM, as said above")


def others(verdict: Verdict) -> Iterator[Finding]:
    """Yield what is said beside SPF, DKIM and DMARC."""
    for one in verdict.believed.of("compauth")[:1]:  # Microsoft's sum of all checks
        said = f"compauth={shown(one.result, 20)}{f', reason {shown(one.reason, 10)}' if one.reason else ''}"
        if one.result in {"fail", "none"}:
            advice = "correct SPF, DKIM and DMARC, as said above: all three count here"
            yield Topic.RECEIVED.fault("compauth", f"Microsoft does not believe the sender ({said})", advice)
        else:
            yield Topic.RECEIVED.ok("compauth", f"Microsoft believes the sender ({said})")
    for one in verdict.believed.of("iprev")[:1]:
        if one.result in {"fail", "permerror"}:
            advice = "whoever runs the relay must give its address a PTR record, and that name the same address"
            seen = "the relay's address has no name that leads back to it (iprev)"
            yield Topic.RECEIVED.warning("iprev", seen, advice)
