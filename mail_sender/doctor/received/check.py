"""Judges a mail that arrived: is it ours, what did the mailbox find out about it, and do filters take it for spam."""

import re
from collections.abc import Iterator

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.received import authentication_results, belief, dkim, dmarc, mail_headers, spam_verdicts, spf
from mail_sender.doctor.received.alignment import domain_of
from mail_sender.doctor.received.belief import Believed
from mail_sender.doctor.received.lexical import shown, tokens, word
from mail_sender.doctor.received.mail_headers import MailHeaders, NotAMail
from mail_sender.doctor.received.verdict import Verdict
from mail_sender.names import address

MOST_OCTETS = mail_headers.MOST_OCTETS
"""How much of a file is worth reading."""
_MOST_SHOWN = 5
_OUR_MESSAGE_ID = re.compile(r"<[0-9a-f-]{36}(?:\.[0-9a-f]{12})?(?:\.copy\d{1,6})?@([^\s<>@]{1,253})>")
_CLIENT_IP = re.compile(r"\bclient-ip=\"?([0-9A-Fa-f.:]{2,45})")


def findings(octets: bytes, from_address: str | None, trusted_authserv_id: str | None) -> list[Finding]:
    """Return what the mailbox thought of a mail.

    `from_address` is the configured one, or None if there is no configuration. `trusted_authserv_id` names the
    system that is believed (`doctor.config`).
    """
    try:
        headers = mail_headers.read(octets)
    except NotAMail as error:
        advice = "save a mail that arrived with all its headers, as .eml, and give that file"
        return [Topic.RECEIVED.fault("file", f"the file {error}", advice)]
    return list(_of_mail(headers, from_address, trusted_authserv_id))


def _of_mail(headers: MailHeaders, from_address: str | None, trusted: str | None) -> Iterator[Finding]:
    sender = _mailbox(headers.first("from") or "")
    yield _whose(headers, sender, from_address)
    believed = belief.choose(headers, trusted)
    yield _by_whom(believed, trusted)
    if believed.is_there and (from_domain := domain_of(sender)):
        verdict = Verdict(believed, from_domain, _client_ip(headers), headers.first("dkim-signature") is not None)
        yield from (spf.finding(verdict), dkim.finding(verdict), dmarc.finding(verdict))
        yield from dmarc.others(verdict)
    yield from _secondary(headers, believed)
    yield from map(_spam, spam_verdicts.verdicts(headers))


def _mailbox(value: str) -> str:
    """Return the address of a From header (RFC 5322, section 3.4): the first, if there are several."""
    found = tokens(value, "<>,")
    if "<" in found:
        found = found[found.index("<") + 1 :]
    parts = []
    for token in found:
        if token in {"<", ">", ","}:
            break
        parts.append(word(token))
    bare = next((part for part in parts if "@" in part), "")
    return bare[:1000]


def _whose(headers: MailHeaders, sender: str, from_address: str | None) -> Finding:
    """Say whether the mail is ours: by its From, and by its Message-ID, which a relay may replace."""
    if not sender:
        seen = "the mail has no From, or none with an address"
        return Topic.RECEIVED.fault("mail", seen, "save the mail itself, not a reply or a report about it")
    masked = shown(address.mask(sender))
    if from_address is None:
        seen = f"the mail is from {masked}; without a configuration nobody knows whether that is right"
        return Topic.RECEIVED.ok("mail", seen)
    if sender.lower() != from_address.lower():
        seen = f"the mail is from {masked}, and mail-sender sends as {address.mask(from_address)}"
        advice = "if mail-sender sent it, the relay replaced From: allow the address there; else take another mail"
        return Topic.RECEIVED.warning("mail", seen, advice)
    match = _OUR_MESSAGE_ID.search(headers.first("message-id") or "")
    if match and match[1].lower() == address.domain(from_address).lower():
        return Topic.RECEIVED.ok("mail", f"the mail is from mail-sender ({masked})")
    seen = f"the mail is from {masked}; its Message-ID is the relay's or another program's"
    return Topic.RECEIVED.ok("mail", seen)


def _by_whom(believed: Believed, trusted: str | None) -> Finding:
    others = ", ".join(shown(one, 60) or "one without a name" for one in believed.others[:_MOST_SHOWN])
    if believed.is_there:
        whose = shown(believed.authserv_id, 60) or "the topmost system, which gives no name"
        rest = f"; not judged, since anybody can write one: {others}" if others else ""
        return Topic.RECEIVED.ok("authentication_results", f"Authentication-Results are those of {whose}{rest}")
    if trusted is not None and others:
        seen = f"no Authentication-Results in the mail are those of {shown(trusted, 60)}; there are those of {others}"
        advice = "correct [doctor] trusted_authserv_id, or remove it to have the topmost believed"
        return Topic.RECEIVED.warning("authentication_results", seen, advice)
    seen = "the mailbox wrote no Authentication-Results: it does not say what it thought of SPF, DKIM and DMARC"
    advice = (
        "send a test mail to a mailbox that does, such as one at Gmail or Outlook.com, and save it there with all "
        "its headers; a mail that was forwarded or taken from the Sent folder has none"
    )
    return Topic.RECEIVED.warning("authentication_results", seen, advice)


def _client_ip(headers: MailHeaders) -> str:
    match = _CLIENT_IP.search(headers.first("received-spf") or "")
    return match[1] if match else ""


def _secondary(headers: MailHeaders, believed: Believed) -> Iterator[Finding]:
    """Say what other headers claim, which is not judged: Received-SPF and ARC."""
    received = re.match(r"\s*([A-Za-z]{1,12})\b", headers.first("received-spf") or "")
    if received and not believed.of("spf"):
        seen = f"Received-SPF says {received[1].lower()} (not judged: anybody can write it)"
        yield Topic.RECEIVED.ok("received_spf", seen)
    value = headers.first("arc-authentication-results")
    if value is not None:
        found = authentication_results.parse_arc(value)
        said = ", ".join(shown(f"{one.method}={one.result}", 40) for one in found.results[:_MOST_SHOWN])
        whose = shown(found.authserv_id, 60) or "a system without a name"
        yield Topic.RECEIVED.ok(
            "arc", f"ARC of {whose} says {said or 'nothing'} (not judged: it may be about another hop)"
        )


def _spam(verdict: spam_verdicts.SpamVerdict) -> Finding:
    detail = f" ({shown(verdict.detail, 160)})" if verdict.detail else ""
    if verdict.is_spam:
        advice = (
            "correct what is said above about SPF, DKIM and DMARC first; then look the filter's rules up, and ask "
            "whoever runs the mailbox to allow the From address"
        )
        return Topic.RECEIVED.fault("spam", f"{verdict.filter} takes the mail for spam{detail}", advice)
    return Topic.RECEIVED.ok("spam", f"{verdict.filter} does not take the mail for spam{detail}")
