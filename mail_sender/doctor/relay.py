"""The relay: each of its addresses as far as EHLO, then one as far as MAIL FROM, by the code that carries mail.

With OAuth, an access token is got in between.

No recipient is named, so nothing can be sent. What goes wrong is the verdict that a mail would get, in its words.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from datetime import UTC, datetime

from mail_sender.doctor import expiry
from mail_sender.doctor.finding import Finding, Level, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.relay import addresses
from mail_sender.relay.addresses import Address
from mail_sender.relay.config import FolderConfig, RelayConfig
from mail_sender.relay.connection import Rehearsed
from mail_sender.relay.conversation import RelayFacts
from mail_sender.relay.oauth.config import OAuthConfig
from mail_sender.relay.rehearsal import Rehearsal
from mail_sender.relay.relay_url import Security, is_path
from mail_sender.tls import certificate
from mail_sender.tls.shown import Shown
from mail_sender.verdict import Deferred, Refused, RelayDown, Stage, Verdict

_RELAY = Topic.RELAY
_MOST_ADDRESSES = 8
_THIS_MACHINE = "localhost"
_COMPARE = (
    "only if you know by another way than this connection that this is the relay's own, "
    "[relay] pin_sha256 may have it: somebody in between shows another one"
)
_LOGIN = ("mail_username", "mail_password", "relay.oauth")
_CHECK_OF = {
    Stage.TOKEN: "relay_token",
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
    if config.host not in map(addresses.shown, tried):  # else it is an address
        yield _RELAY.ok("relay_name", f"{config.host} is {', '.join(map(addresses.shown, tried))}")
    reached = await asyncio.gather(*map(rehearsal.without_login, tried))
    for finding in _reached(config, tried, reached, now):
        yield finding
    good = next((address for address, one in zip(tried, reached, strict=True) if one.fault is None), None)
    if config.oauth is not None:
        token = _token(config.oauth, await rehearsal.token_expires_at())
        yield token
        good = good if token.level is Level.OK else None
    if good is not None:
        for finding in _logged_in(subject, config, await rehearsal.with_login(good, _sender(subject))):
            yield finding


def _token(config: OAuthConfig, ends: datetime | Verdict | None) -> Finding:
    """Return whether an access token can be got; it is renewed before its end, so a near end is as it should be."""
    if not isinstance(ends, datetime):
        return _ended("relay_token", ends)
    minutes = max(0, round((ends - datetime.now(UTC)).total_seconds() / 60))
    return _RELAY.ok("relay_token", f"{config.place} gives an access token, good for {minutes} min")


def _reached(config: RelayConfig, tried: list[Address], reached: list[Rehearsed], now: datetime) -> Iterator[Finding]:
    """Yield what each address showed, and what all of them that work showed alike, once."""
    works = any(one.fault is None for one in reached)
    # On most machines this name is two addresses, and many servers listen on one; the other one costs a mail no time.
    may_be_deaf = config.host == _THIS_MACHINE and not all(map(_has_no_listener, reached))
    shown: dict[str, Finding] = {}
    for address, one in zip(tried, reached, strict=True):
        where = addresses.shown(address)
        if may_be_deaf and _has_no_listener(one):
            yield _RELAY.ok(
                "relay_connection", f"{where}: nothing listens there; another address of {config.host} does"
            )
            continue
        if one.facts is None or one.fault is not None:
            yield _unreached(where, one.fault, works=works)
            for finding in _untrusted(config, one.shown):
                shown.setdefault(finding.seen, finding)
            continue
        yield _spoken(where, config, one.facts)
        for finding in _facts(config, one.facts, now):
            shown.setdefault(finding.seen, finding)
    yield from shown.values()


def _has_no_listener(one: Rehearsed) -> bool:
    return isinstance(one.fault, RelayDown) and one.fault.stage is Stage.CONNECT


def _spoken(where: str, config: RelayConfig, facts: RelayFacts) -> Finding:
    place = where if is_path(where) else f"{where}, port {config.port}"
    if config.is_local:
        return _RELAY.ok("relay_tls", f"{place}: it is on this machine, and gets mail without TLS, as configured")
    starts = "from the first byte" if facts.security is Security.IMPLICIT else "by STARTTLS"
    return _RELAY.ok("relay_tls", f"{place}: it speaks {facts.tls}, {starts}")


def _untrusted(config: RelayConfig, shown: Shown | None) -> Iterator[Finding]:
    """Yield the fingerprints of a certificate that is not trusted, for a person who knows what they should be.

    Where one is pinned, the verdict has them.
    """
    for seen in _fingerprints(shown) if not config.pins else ():
        yield _RELAY.warning("relay_pin", seen, _COMPARE)


def _fingerprints(shown: Shown | None, pins: Collection[str] = ()) -> Iterator[str]:
    if shown is not None:
        prints = {"certificate": shown.fingerprints.certificate, "key": shown.fingerprints.key}
        for what, one in prints.items():
            pinned = ", which is pinned" if one in pins else ""
            yield f"the SHA-256 of its {what} is {one or 'not to be had'}{pinned}"


def _unreached(where: str, fault: Verdict | None, *, works: bool) -> Finding:
    found = _ended("relay_connection", fault)
    seen = f"{where}: {found.seen}"
    if works:  # mail takes the others, after a while
        return _RELAY.warning(found.check, seen, found.advice)
    return _RELAY.fault(found.check, seen, found.advice or "")


def _facts(config: RelayConfig, facts: RelayFacts, now: datetime) -> Iterator[Finding]:
    if facts.certificate is not None:
        yield expiry.of_certificate(_RELAY, "relay_certificate", config.place, facts.certificate, now)
    for seen in _fingerprints(facts.shown, config.pins):
        yield _RELAY.ok("relay_pin", seen)
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
    is_of_login = isinstance(one.fault, RelayDown) and one.fault.stage is Stage.AUTH
    if subject.reading.is_faulty(*_LOGIN):
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
