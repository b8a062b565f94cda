"""SPF as the mailbox saw it."""

from mail_sender.doctor.finding import Finding, Level, Topic
from mail_sender.doctor.received.lexical import shown
from mail_sender.doctor.received.verdict import Verdict, spf_domain

_FAILS = frozenset({"fail", "softfail", "hardfail"})


def finding(verdict: Verdict) -> Finding:
    """Return what SPF says of the mail, and whether it counts for From."""
    found = verdict.spf
    if found is None:
        advice = "run `mail-sender doctor`, which looks the SPF record up"
        return Topic.RECEIVED.warning("spf", "the mailbox says nothing about SPF", advice)
    result, domain = found.result, spf_domain(found)
    if result == "pass":
        return _passes(domain, verdict)
    if result in _FAILS:
        return _fails(domain, result, verdict)
    return _is_undecided(shown(domain) or "the envelope sender", result)


def _passes(domain: str, verdict: Verdict) -> Finding:
    name = shown(domain) or "a domain that is not named"
    if verdict.is_aligned(domain):
        return Topic.RECEIVED.ok("spf", f"SPF passes for {name}, which aligns with From")
    seen = f"SPF passes for {name}, which does not align with From ({verdict.from_domain})"
    if verdict.aligned_signature:
        return Topic.RECEIVED.ok("spf", f"{seen}; DKIM does")
    advice = f"set up a return path (MAIL FROM) below {verdict.from_domain} at the relay's provider"
    return Topic.RECEIVED.warning("spf", seen, advice)


def _fails(domain: str, result: str, verdict: Verdict) -> Finding:
    """Return a fault, or a warning if the mail is vouched for by its signature."""
    name, ip = shown(domain) or "the envelope sender", shown(verdict.client_ip, 45)
    came, term = (f", which came from {ip}", f", or the address {ip},") if ip else ("", "")
    level = Level.WARNING if verdict.aligned_signature else Level.FAULT
    seen = f"SPF fails for {name} ({result}): its record does not name the relay of this mail{came}"
    advice = f"add what the relay's provider names{term} to the SPF record of {name}"
    return Finding(Topic.RECEIVED, "spf", level, seen, advice)


def _is_undecided(name: str, result: str) -> Finding:
    if result == "temperror":
        advice = "send another test mail; if it lasts, see to the domain's name servers"
        return Topic.RECEIVED.warning("spf", f"the mailbox could not look up SPF of {name} (temperror)", advice)
    if result == "permerror":
        advice = "run `mail-sender doctor`, which says what is wrong with the record"
        return Topic.RECEIVED.fault("spf", f"the SPF record of {name} is broken (permerror)", advice)
    advice = f"give {name} an SPF record that names the relay and ends with -all or ~all"
    return Topic.RECEIVED.warning("spf", f"SPF says neither yes nor no for {name} ({shown(result, 20)})", advice)
