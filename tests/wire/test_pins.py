"""A relay that is known by its pins: with one of them it gets mail, and without one it hears nothing."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mail_sender.relay.config import RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.tls import fingerprint
from mail_sender.tls.fingerprint import Fingerprints
from mail_sender.verdict import Accepted, RelayDown, Stage, Verdict
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import config, send

OTHER = "ab" * 32
SAID = {"EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"}
WAYS = [
    (Security.IMPLICIT, "tls", []),
    (Security.STARTTLS, "starttls", ["EHLO", "STARTTLS"]),
    (Security.DISCOVER, "tls", []),
    (Security.DISCOVER, "starttls", ["EHLO", "STARTTLS"]),
]


def served(authority: Authority, *names: str, days: int = 30) -> tuple[ssl.SSLContext, Fingerprints]:
    """Return a relay's context and the fingerprints of its certificate."""
    context = authority.server(*names, days=days)
    return context, fingerprint.of(shown_by(context))


def shown_by(context: ssl.SSLContext) -> bytes:
    """Return the certificate that a server shows."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    for step in [ours.do_handshake, theirs.do_handshake] * 3:
        try:
            step()
        except ssl.SSLWantReadError:
            continue
    shown = ours.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def pinned(authority: Authority, port: int, security: Security, *pins: str) -> RelayConfig:
    """Return the configuration of a relay that is known by pins alone."""
    return replace(config(authority, port, security), ca_path=None, pins=pins)


@pytest.mark.parametrize(("security", "key", "before_tls"), WAYS)
async def test_a_relay_without_the_pin_hears_nothing_inside_tls(
    authority: Authority, security: Security, key: str, before_tls: list[str]
) -> None:
    """No EHLO, no login, no mail, although a trusted CA has signed its certificate for the right name."""
    context, prints = served(authority)
    with ScriptedRelay(**{key: context}) as relay:  # type: ignore[arg-type]  # one of two keys
        way = replace(pinned(authority, relay.port, security, OTHER), ca_path=authority.pem)
        verdict = await send(SmtpTransport(way, lambda _: None))
        # Where TLS is tried first, our handshake arrives there as noise.
        assert [verb for verb in relay.verbs() if verb in SAID] == before_tls
        assert relay.mails == []
    assert_mismatch(verdict, prints)


def assert_mismatch(verdict: Verdict, prints: Fingerprints) -> None:
    assert isinstance(verdict, RelayDown)
    assert verdict.lasting
    assert verdict.stage in {Stage.TLS, Stage.STARTTLS}
    for one in (OTHER, prints.certificate, prints.key):
        assert one in verdict.detail
    assert "[relay] pin_sha256" in verdict.advice


@pytest.mark.parametrize("pin", ["certificate", "key"])
@pytest.mark.parametrize(("security", "key", "_before_tls"), WAYS)
async def test_a_relay_with_the_pin_gets_mail_whoever_signed_its_certificate(
    authority: Authority, security: Security, key: str, pin: str, _before_tls: list[str]
) -> None:
    """For another name, and after its end: when that was is known."""
    context, prints = served(authority, "other.example", days=-1)
    with ScriptedRelay(**{key: context}) as relay:  # type: ignore[arg-type]  # one of two keys
        transport = SmtpTransport(
            pinned(authority, relay.port, security, OTHER, getattr(prints, pin)), lambda _: None
        )
        assert isinstance(await send(transport), Accepted)
        await transport.close()
    assert transport.certificate is not None
    assert transport.certificate.is_pinned
    assert (datetime.now(UTC) - transport.certificate.ends).days == 1


async def test_a_port_that_waits_for_tls_is_found_without_the_pin_too(authority: Authority) -> None:
    """What is asked on a second connection is whether it speaks TLS, and nothing is said there."""
    with ScriptedRelay(tls=served(authority)[0]) as relay:
        way = replace(pinned(authority, relay.port, Security.STARTTLS, OTHER), connect_timeout=0.3)
        verdict = await send(SmtpTransport(way, lambda _: None))
        assert relay.verbs() == []
    assert isinstance(verdict, RelayDown)
    assert "write smtps://" in verdict.advice
