"""Makes verdicts of replies and faults, by one table of stages (RFC 5321, sections 4.2 and 4.3.2).

    stage                   4xx, 421 apart  421             5xx             cut, time-out, garbage
    token                   -               -               -               relay down
    resolve ... starttls    relay down      relay down      relay down      relay down
    auth                    relay down      relay down      relay down      relay down
    mail                    deferred        relay down      relay down *    relay down
    rcpt, data, body        deferred        relay down **   refused ***     relay down
    dot                     deferred        deferred        refused         uncertain

    *    552 and 5.3.4 are the message's size, 5.6.7 and 5.6.9 its address beyond ASCII: refused. Anything else means
         that this login may not send as From, or is a policy of the relay's against us.
    **   deferred if the words are about the recipient.
    ***  530, 534, 535 and 538 ask for a login: relay down.

This table goes by stage and code. `sender.own_fault` goes by words, and by what other mails met: it turns `Deferred`
and `Refused` into `RelayDown` or `Throttled` where the mail is not to blame. `RelayDown` carries what to try.

This is the only file that names aiosmtplib's exceptions.
"""

import socket
import ssl

import aiosmtplib

from mail_sender.errors import causes
from mail_sender.relay import login, login_advice, refusals
from mail_sender.relay.addresses import NotLocal
from mail_sender.relay.channel import NoStartTls, Rejected
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.conversation import NoUtf8
from mail_sender.relay.login import NoLogin
from mail_sender.relay.oauth.access_token import NoToken
from mail_sender.relay.relay_url import Security
from mail_sender.tls import fault
from mail_sender.tls.fault import Peer, TlsFault
from mail_sender.verdict import Blame, Deferred, Refused, RelayDown, Reply, Stage, Uncertain, Verdict

FAULTS = (OSError, aiosmtplib.SMTPException, Rejected, NoStartTls, NoLogin, NoToken, NoUtf8, ValueError)
"""What a conversation raises when it does not end well; a `ValueError` is a host name that none can be."""

_CHECK_LOG = "read the relay's log or the provider's dashboard"
_ADVICE_HERE = "check that it runs, and that this user may connect to it"
_ADVICE_ELSEWHERE = "check that it runs; a firewall or the hosting provider may block the port: try 465, 587 or 2525"
_NO_MECHANISM = "it refuses every login mechanism that it offers and mail-sender can do: try another port"
_OF_UTF8 = frozenset({"5.6.7", "5.6.9"})  # RFC 6531, section 3.5
_NO_UTF8 = "the relay does not accept non-ASCII characters before the @ of an address (no SMTPUTF8, RFC 6531)"
_START = frozenset({Stage.TLS, Stage.STARTTLS, Stage.BANNER, Stage.EHLO})
_LOGIN_WANTED = frozenset({530, 534, 535, 538})
_ADVICE_TO_5XX = {
    Stage.BANNER: "it refuses this machine or port: ask its operator, or try port 465, 587 or 2525",
    Stage.AUTH: "check mail_username and mail_password (an app password or API key with some providers)",
    Stage.MAIL: "this login may not send as mail_from_address: allow the address or domain at the provider",
}
_POLICY = (
    "a policy of the relay, against mail_from_address or against the reputation of this machine's address: read its "
    "reply, and ask its operator"
)
_CONNECTS = frozenset({Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.STARTTLS})
"""The stages with `mail_connect_timeout_seconds` each."""


def verdict(
    stage: Stage, error: BaseException, config: RelayConfig, security: Security, *, asked: bool = False
) -> Verdict:
    """Return what an exception at a stage of the conversation means.

    `asked` says that the relay has asked for a client certificate.
    """
    if (reply := _reply(error)) is not None:
        return _of_reply(stage, reply, config)
    if isinstance(error, NoUtf8):
        return Refused(stage, _NO_UTF8)
    if isinstance(error, NoToken):
        return RelayDown(Stage.TOKEN, error.fault.detail, error.fault.advice, error.fault.lasting)
    if stage is Stage.DOT:
        return Uncertain(_event(error))
    detail, advice, lasting = _of_fault(stage, error, config, security)
    is_cut = not any(isinstance(cause, ssl.SSLError) for cause in causes(error))
    if asked and is_cut and config.client_cert_path is None and stage in _START:
        advice = f"{advice}; if it needs a client certificate, set [relay] client_cert_path and client_key_path"
    return RelayDown(stage, detail, advice, lasting)


def speaks_plain(error: BaseException) -> bool:
    """Say whether the relay answered TLS in plain text."""
    return any(isinstance(cause, ssl.SSLError) and fault.of(cause) is TlsFault.NOT_TLS for cause in causes(error))


def _reply(error: BaseException) -> Reply | None:
    return error.reply if isinstance(error, Rejected) and 400 <= error.reply.code < 600 else None


def _of_reply(stage: Stage, reply: Reply, config: RelayConfig) -> Verdict:
    permanent, found = reply.code >= 500, refusals.blame(stage, reply)
    is_the_relays = reply.code in {421, *_LOGIN_WANTED} and stage is not Stage.DOT and found is not Blame.RECIPIENT
    if stage.has_recipient and not is_the_relays:
        return Refused(stage, "refused by the relay", reply) if permanent else Deferred(stage, reply)
    if stage is Stage.MAIL and reply.code != 421:
        if not permanent:
            return Deferred(stage, reply)
        if found is Blame.MESSAGE:
            too_large = reply.enhanced not in _OF_UTF8
            return Refused(stage, "too large for the relay" if too_large else "the relay does not take it", reply)
    return refusals.relay_down(stage, reply, found, _advice(stage, reply, found, config))


def _advice(stage: Stage, reply: Reply, found: Blame, config: RelayConfig) -> str:
    if found.is_a_limit:
        return refusals.advice(found)
    if reply.code in _LOGIN_WANTED and config.username is None:
        return "it needs a login: set mail_username and mail_password"
    if stage is Stage.EHLO:
        return f'it may not like our name "{config.local_name}": set [relay] local_name'
    if stage is Stage.AUTH and (cure := _of_refused_login(reply, config)):
        return cure
    if stage is Stage.MAIL and found is Blame.AMBIGUOUS:
        return _POLICY
    return _ADVICE_TO_5XX.get(stage, _CHECK_LOG) if reply.code >= 500 else _CHECK_LOG


def _of_refused_login(reply: Reply, config: RelayConfig) -> str | None:
    return login_advice.of(reply, config) or (_NO_MECHANISM if login.refuses_mechanism(reply) else None)


def _of_fault(stage: Stage, error: BaseException, config: RelayConfig, security: Security) -> tuple[str, str, bool]:
    """Return what happened before any reply, what to try, and whether only a person can mend it."""
    if isinstance(error, NoStartTls):
        return _of_clear_text(config)
    if isinstance(error, NoLogin):
        return _of_login(str(error), config)
    if stage is Stage.TOKEN:  # a rehearsal has less time than the endpoint
        return "there was no token in time", "check [relay.oauth], and that the endpoint or program answers", False
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            return _of_tls(cause, config)
    is_late = any(isinstance(cause, TimeoutError) for cause in causes(error))
    if stage is Stage.RESOLVE:
        what, advice = _of_name(error, config)
    elif stage is Stage.BANNER and is_late and security is not Security.STARTTLS:
        what, advice = f"{config.place} sends no greeting", _CHECK_LOG
    else:
        what, advice = _of_silence(stage, config, security)
    if is_late and stage in _CONNECTS:
        advice += f"; if it is only slow, raise mail_connect_timeout_seconds ({config.connect_timeout:g})"
    return what if stage is Stage.RESOLVE else f"{what} ({_event(error)})", advice, False


def _of_clear_text(config: RelayConfig) -> tuple[str, str, bool]:
    return (
        "it does not offer STARTTLS, so nothing was sent: no login, no mail",
        f"if the port speaks TLS from the first byte, write smtps://{config.place}; "
        "otherwise somebody between here and the relay may have removed the offer",
        True,
    )


def _of_login(offered: str, config: RelayConfig) -> tuple[str, str, bool]:
    wanted = "XOAUTH2 or OAUTHBEARER" if config.oauth else "PLAIN, LOGIN or CRAM-MD5"
    if not offered:
        return (
            f"it offers no AUTH at all, but we need {wanted}",
            "try another port; if it needs no login from this machine, remove mail_username and "
            f"{'[relay.oauth]' if config.oauth else 'mail_password'}",
            True,
        )
    if config.oauth:
        advice = "remove [relay.oauth], and set mail_password; or use a relay or port that takes tokens"
    elif "OAUTH" in offered:
        advice = "set [relay.oauth]: it takes a token, and no password (docs/relays.md)"
    else:
        advice = (
            "allow SMTP AUTH with a password at the provider (some call it an app password), or use a relay or port "
            "that takes one"
        )
    return f"it offers {offered} alone, but we need {wanted}", advice, True


def _of_silence(stage: Stage, config: RelayConfig, security: Security) -> tuple[str, str]:
    place = config.place
    match stage:
        case Stage.CONNECT:
            return f"no connection to {place}", _ADVICE_HERE if config.is_local else _ADVICE_ELSEWHERE
        case Stage.BANNER if security is Security.STARTTLS:
            return f"{place} sends no greeting", f"if the port speaks TLS from the first byte, write smtps://{place}"
        case Stage.BANNER | Stage.EHLO:
            return f"the conversation with {place} broke right after its start", _CHECK_LOG
        case Stage.STARTTLS:
            advice = f"{_CHECK_LOG}: it may speak nothing newer than TLS 1.1, which is not safe"
            return f"the conversation with {place} broke at STARTTLS", advice
        case Stage.TLS:
            return f"{place} does not complete TLS", f"if the port uses STARTTLS, write smtp://{place}"
        case _:
            return f"the conversation with {place} broke", _CHECK_LOG


def _of_name(error: BaseException, config: RelayConfig) -> tuple[str, str]:
    if isinstance(error, NotLocal):
        what = f'"{config.host}" is {error} here, which is not this machine: nothing was sent'
        return what, "write 127.0.0.1 into mail_relay, or smtps:// for a relay elsewhere, and correct /etc/hosts"
    if isinstance(error, socket.gaierror) and error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
        return f'there is no host "{config.host}"', "check mail_relay, and whether this machine knows the name"
    return f'the name "{config.host}" cannot be looked up ({_event(error)})', "check this machine's DNS"


def _of_tls(error: ssl.SSLError, config: RelayConfig) -> tuple[str, str, bool]:
    peer = Peer(
        name=config.tls_name,
        name_key="mail_relay",
        server_name_key="[relay] server_name",
        pin_key="[relay] pin_sha256",
        ca_key="[relay] ca_path",
        client_advice="set [relay] client_cert_path and client_key_path",
        has_client_certificate=config.client_cert_path is not None,
    )
    detail, advice = fault.described(error, peer)
    if fault.of(error) is TlsFault.NOT_TLS:
        advice = f"if it uses STARTTLS, write smtp://{config.place}; if not, correct the port"
    return f"{config.place}: {detail}", advice, True


def _event(error: BaseException) -> str:
    """Say in a word or two what happened, without anything that the peer wrote."""
    for kind, words in _EVENTS:
        if any(isinstance(cause, kind) for cause in causes(error)):
            return words
    return (error.strerror or "").lower() if isinstance(error, OSError) else type(error).__name__


_EVENTS: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (TimeoutError, "no answer in time"),
    (ConnectionError, "connection cut"),
    (Rejected, "an answer that is not SMTP"),
    (aiosmtplib.SMTPResponseException, "an answer that is not SMTP"),
)
