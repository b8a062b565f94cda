"""The identity server: asked as the sender asks it, up to the list of what is ready. Nothing is marked.

1. Its name, TLS, and whether a Kanidm answers: what the network or a proxy does is a `ServerFault` with its cure.
2. The token: whether the server takes it, what it may do, and by its own words when it ends.
3. The list: whether it can be read. What stands in it is only counted.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mail_sender.doctor import expiry
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.relay import addresses
from mail_sender.source import answers, token
from mail_sender.source.base import Standing
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource

_SERVER = Topic.SERVER
_CHECK_OF = {
    ServerFaultKind.UNREACHABLE: "server_connection",
    ServerFaultKind.UNTRUSTED: "server_certificate",
    ServerFaultKind.NOT_KANIDM: "server_api",
    ServerFaultKind.OVERLOADED: "server_answer",
    ServerFaultKind.ERROR: "server_answer",
    ServerFaultKind.TOKEN_REFUSED: "token",
    ServerFaultKind.TOKEN_READ_ONLY: "token",
    ServerFaultKind.NOT_A_SENDER: "token_group",
}


async def server(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Yield what is found on the way to the list of messages, and of the token."""
    config = subject.source
    if config is None:
        yield _SERVER.skipped("server_connection", "the client config has a fault: nothing was asked")
        return
    has_token = not subject.reading.is_faulty("token")
    async with aclosing(_asked(config, has_token=has_token)) as findings:
        async for finding in findings:
            yield finding


async def _asked(config: SourceConfig, *, has_token: bool) -> AsyncGenerator[Finding, None]:
    now = datetime.now(UTC)
    source = KanidmSource(config)
    try:
        if (name := await _addresses(config)) is not None:
            yield name
        standing = await _standing(source)
        is_kanidm = isinstance(standing, Standing) or standing.kind.is_of_the_token
        for finding in _facts(source, config, now, is_kanidm=is_kanidm):
            yield finding
        if not has_token and is_kanidm:
            yield _SERVER.skipped("token", "the token in the configuration has a fault: it was not tried")
            return
        for finding in _token(standing, config, now):
            yield finding
        if isinstance(standing, Standing) or standing.kind is ServerFaultKind.TOKEN_READ_ONLY:
            yield await _list(source, now)
    finally:
        await source.close()


async def _addresses(config: SourceConfig) -> Finding | None:
    """Say which addresses the name has, if it is none; a fault of it shows when the server is asked."""
    if config.proxy is not None:
        return None  # the proxy looks it up
    parts = urlsplit(config.uri)
    host = parts.hostname or ""
    try:
        found = await addresses.of(host, parts.port or 0, config.connect_timeout)
    except (OSError, ValueError):
        return None
    places = dict.fromkeys(str(address[4][0]) for address in found)
    return _SERVER.ok("server_name", f"{host} is {', '.join(places)}") if host not in places else None


async def _standing(source: KanidmSource) -> Standing | ServerFault:
    try:
        return await source.standing()
    except ServerFault as fault:
        return fault


def _facts(source: KanidmSource, config: SourceConfig, now: datetime, *, is_kanidm: bool) -> Iterator[Finding]:
    """Yield what the answer showed of the server, if there was one."""
    facts = source.facts
    if facts.certificate is not None:
        yield expiry.of_certificate(_SERVER, "server_certificate", config.uri, facts.certificate, now)
    if is_kanidm:
        version = f" {facts.version}" if facts.version else ""
        yield _SERVER.ok("server_api", f"{config.uri} is a Kanidm{version} with a message queue")


def _token(standing: Standing | ServerFault, config: SourceConfig, now: datetime) -> Iterator[Finding]:
    claims = token.claims(config.token)
    if isinstance(standing, ServerFault):
        seen = standing.detail
        if standing.kind is ServerFaultKind.TOKEN_REFUSED and claims is not None:
            seen += f"; by its own words {_end(claims, now)}"
        yield _SERVER.fault(_CHECK_OF[standing.kind], seen, standing.advice)
        if claims is not None and claims.is_persons:
            yield expiry.of_token(_SERVER, claims, now)
        return
    account = standing.account
    if standing.may_write is None:
        advice = "give it one that was made with --readwrite, if mails stay unmarked"
        yield _SERVER.warning("token", f"the token is {account}'s; the server does not say if it may write", advice)
    else:
        yield _SERVER.ok("token", f"the token is {account}'s, and may mark messages as sent")
    if claims is not None:
        yield expiry.of_token(_SERVER, claims, now)
    if standing.excess_groups:
        seen = f"{account} is also in {', '.join(standing.excess_groups)}"
        yield _SERVER.warning("token_group", seen, answers.EXCESS_GROUPS)
    else:
        yield _SERVER.ok("token_group", f"{account} is in {answers.SENDERS}, and in no group that it does not need")


def _end(claims: token.Claims, now: datetime) -> str:
    if claims.expires is None or claims.expires > now:
        return "it has not expired: it was revoked, or is another server's"
    return f"it expired on {claims.expires:%Y-%m-%d}"


async def _list(source: KanidmSource, now: datetime) -> Finding:
    try:
        listing = await source.list_ready(now)
    except ServerFault as fault:
        return _SERVER.fault("server_queue", fault.detail, fault.advice)
    count, odd = len(listing.ids), len(listing.odd) + listing.more_odd
    if odd:
        seen = f"{odd} entries of the queue cannot be read, {count} can"
        return _SERVER.warning("server_queue", seen, "the sender's log names them (odd_entry)")
    return _SERVER.ok("server_queue", f"the queue can be read; {count} ready")
