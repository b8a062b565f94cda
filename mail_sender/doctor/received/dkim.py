"""DKIM as the mailbox saw it. A mail may have several signatures; one that passes for From is enough."""

from collections.abc import Sequence

from mail_sender.doctor.finding import Finding, Level, Topic
from mail_sender.doctor.received.authentication_results import MethodResult
from mail_sender.doctor.received.lexical import shown
from mail_sender.doctor.received.verdict import Verdict, dkim_domain

_MOST_SHOWN = 3


def finding(verdict: Verdict) -> Finding:
    """Return what DKIM says of the mail, and whether it counts for From."""
    results = verdict.believed.of("dkim")
    if aligned := verdict.aligned_signature:
        selector = shown(aligned.about("header.s"), 60)
        how = f" (selector {selector})" if selector else ""
        return Topic.RECEIVED.ok(
            "dkim", f"DKIM passes for {shown(dkim_domain(aligned))}{how}, which aligns with From"
        )
    if passed := [one for one in results if one.result == "pass"]:
        return _passes_for_others(passed, verdict)
    # A mail that SPF vouches for is not lost without a signature.
    level = Level.WARNING if verdict.aligns_by_spf else Level.FAULT
    if failed := next((one for one in results if one.result != "none"), None):
        return _fails(failed, level)
    advice = f"have the relay sign as {verdict.from_domain}; its provider shows which key to publish"
    if verdict.is_signed:
        return Topic.RECEIVED.warning("dkim", "the mailbox says nothing about the mail's DKIM signature", advice)
    return Finding(Topic.RECEIVED, "dkim", level, "the mail has no DKIM signature", advice)


def _passes_for_others(passed: Sequence[MethodResult], verdict: Verdict) -> Finding:
    signers = dict.fromkeys(shown(dkim_domain(one)) or "a domain that is not named" for one in passed[:_MOST_SHOWN])
    seen = f"DKIM passes for {', '.join(signers)}, which does not align with From ({verdict.from_domain})"
    advice = f"verify {verdict.from_domain} at the relay's provider, so that it signs for this domain"
    return Topic.RECEIVED.warning("dkim", seen, advice)


def _fails(one: MethodResult, level: Level) -> Finding:
    domain, selector = shown(dkim_domain(one)), shown(one.about("header.s"), 60)
    key = f" by the key {selector}._domainkey.{domain}" if domain and selector else f" for {domain}" if domain else ""
    if one.result == "temperror":
        advice = "send another test mail; if it lasts, see to the domain's name servers"
        return Topic.RECEIVED.warning("dkim", f"the mailbox could not look up the signature{key} (temperror)", advice)
    why = f": {shown(one.reason)}" if one.reason else ""
    advice = (
        "compare the key in DNS with the relay's (`mail-sender doctor` looks it up); if it is right, something "
        "changes the mail after it was signed, such as a gateway that adds a footer"
    )
    seen = f"the DKIM signature{key} fails ({shown(one.result, 20)}){why}"
    return Finding(Topic.RECEIVED, "dkim", level, seen, advice)
