"""The relay: each of its addresses as far as EHLO, then one as far as MAIL FROM, by the code that carries mail.

No recipient is named, so nothing can be sent. What goes wrong is the verdict that a mail would get, in its words.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime

from mail_sender.doctor import expiry
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.relay.addresses import Address
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.connection import Rehearsed
from mail_sender.relay.conversation import RelayFacts
from mail_sender.relay.rehearsal import Rehearsal
from mail_sender.relay.relay_url import Security
from mail_sender.tls import certificate
from mail_sender.verdict import Deferred, Refused, RelayDown, Stage, Verdict

_RELAY = Topic.RELAY
_MOST_ADDRESSES = 8
_CHECK_OF = {
    Stage.RESOLVE: "relay_name",
    Stage.CONNECT: "relay_connection",
    Stage.TLS: "relay_tls",
    Stage.BANNER: "relay_greeting",
    Stage.EHLO: "relay_greeting",
    Stage.STARTTLS: "relay_tls",
    Stage.AUTH: "relay_login",
    Stage.MAIL: "relay_from",
}


async def relay(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Yield what is found on the way to MAIL FROM."""
    config = subject.relay
    if isinstance(config, FolderConfig):
        yield _RELAY.skipped("relay_name", f"this is a dry run: mails are written into {config.place}")
        return
    if config is None:
        yield _RELAY.skipped("relay_name", "the configuration has a fault that is about it: nothing was asked")
        return
    now = datetime.now(UTC)
    if config.client_cert_path and (own := certificate.of_file(config.client_cert_path)):
        yield expiry.of_certificate(_RELAY, "client_certificate", "[relay] client_cert_path", own, now)
    rehearsal = Rehearsal(config)
    found = await rehearsal.addresses()
    if not isinstance(found, list):
        yield _ended("relay_name", found)
        return
    tried = found[:_MOST_ADDRESSES]
    if config.host not in map(_place, tried):  # else it is an address
        yield _RELAY.ok("relay_name", f"{config.host} is {', '.join(map(_place, tried))}")
    reached = await asyncio.gather(*map(rehearsal.without_login, tried))
    for finding in _reached(config, tried, reached, now):
        yield finding
    good = next((address for address, one in zip(tried, reached, strict=True) if one.fault is None), None)
    if good is None:
        return
    for finding in _logged_in(subject, config, await rehearsal.with_login(good, _sender(subject))):
        yield finding


def _place(address: Address) -> str:
    return str(address[4][0])


def _reached(config: RelayConfig, tried: list[Address], reached: list[Rehearsed], now: datetime) -> Iterator[Finding]:
    """Yield what each address showed, and what all of them that work showed alike, once."""
    works = any(one.fault is None for one in reached)
    shown: dict[str, Finding] = {}
    for address, one in zip(tried, reached, strict=True):
        where = _place(address)
        if one.facts is None or one.fault is not None:
            yield _unreached(where, one.fault, works=works)
            continue
        starts = "from the first byte" if one.facts.security is Security.IMPLICIT else "by STARTTLS"
        yield _RELAY.ok("relay_tls", f"{where}, port {config.port}: it speaks {one.facts.tls}, {starts}")
        for finding in _facts(config, one.facts, now):
            shown.setdefault(finding.seen, finding)
    yield from shown.values()


def _unreached(where: str, fault: Verdict | None, *, works: bool) -> Finding:
    found = _ended("relay_connection", fault)
    seen = f"{where}: {found.seen}"
    if works:  # mail takes the others, after a while
        return _RELAY.warning(found.check, seen, found.advice)
    return _RELAY.fault(found.check, seen, found.advice or "")


def _facts(config: RelayConfig, facts: RelayFacts, now: datetime) -> Iterator[Finding]:
    if facts.certificate is not None:
        yield expiry.of_certificate(_RELAY, "relay_certificate", config.place, facts.certificate, now)
    offers = ", ".join(facts.mechanisms).upper()
    if offers:
        yield _RELAY.ok("relay_auth", f"it offers logins: {offers}")
    elif config.username is None:
        yield _RELAY.ok("relay_auth", "it offers no login, and none is configured")
    if facts.in_clear:
        seen = "it offers logins before TLS as well: mail-sender never does that, but another program may"
        advice = "have it offer AUTH only after STARTTLS (Postfix: smtpd_tls_auth_only = yes)"
        yield _RELAY.warning("relay_auth", seen, advice)


def _sender(subject: Subject) -> str | None:
    return subject.mail.from_address if subject.mail else None


def _logged_in(subject: Subject, config: RelayConfig, one: Rehearsed) -> Iterator[Finding]:
    """Yield whether the login is taken, and whether it may send as the From address."""
    has_fault = subject.reading.is_faulty("mail_username", "mail_password")
    is_of_login = isinstance(one.fault, RelayDown) and one.fault.stage is Stage.AUTH
    if has_fault:
        yield _RELAY.skipped("relay_login", "the login in the configuration has a fault: it was not tried")
        return
    if config.username is None:
        yield _RELAY.ok("relay_login", "no login is configured, and none was tried")
    elif one.facts is not None:
        yield _RELAY.ok("relay_login", "it takes the login")
    if one.fault is not None:
        yield _ended("relay_login" if is_of_login else "relay_connection", one.fault)
    elif sender := _sender(subject):
        yield _RELAY.ok("relay_from", f"it takes mail from {sender} (asked, and taken back: nothing was sent)")


def _ended(check: str, fault: Verdict | None) -> Finding:
    """Return the finding of a verdict; each says where it came from, if it can."""
    match fault:
        case RelayDown(stage, detail, advice):
            return _RELAY.fault(_CHECK_OF.get(stage, check), detail, advice)
        case Deferred(stage, reply):
            seen = f"not now, at {stage}: {reply}"
            return _RELAY.warning(_CHECK_OF.get(stage, check), seen, "this usually passes by itself: try again later")
        case Refused(stage, reason, reply):
            seen = f"{reason}{f': {reply}' if reply else ''}"
            return _RELAY.fault(_CHECK_OF.get(stage or Stage.MAIL, check), seen, "ask the relay's operator")
        case _:
            return _RELAY.fault(check, "it gave no answer that could be read", "read the relay's log")
