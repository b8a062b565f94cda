"""A relay whose certificate has another name than the one that is connected to: `[relay] server_name`."""

import ssl
from dataclasses import replace

import pytest

from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Accepted, RelayDown
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import config, send
from tests.wire.puppet_relay import PuppetRelay, Wire

NAME = "relay.internal.example"
WAYS = [(Security.IMPLICIT, "tls"), (Security.STARTTLS, "starttls")]


@pytest.mark.parametrize(("security", "key"), WAYS)
async def test_the_name_is_sent_and_looked_for_in_place_of_the_host(
    authority: Authority, security: Security, key: str
) -> None:
    """With TLS from the first byte and with STARTTLS; without it, the certificate is refused, with its names."""
    context, names = authority.server(NAME), list[str | None]()
    context.sni_callback = lambda _, name, __: names.append(name)
    with ScriptedRelay(**{key: context}) as relay:  # type: ignore[arg-type]  # one of two keys
        way = config(authority, relay.port, security)
        refused = await send(SmtpTransport(way, lambda _: None))
        transport = SmtpTransport(replace(way, server_name=f"{NAME}."), lambda _: None)
        accepted = await send(transport)
        await transport.close()
    assert isinstance(refused, RelayDown)
    assert f"another name than localhost (its names: {NAME})" in refused.detail
    assert "[relay] server_name" in refused.advice
    assert isinstance(accepted, Accepted)
    assert names == ["localhost", NAME]


@pytest.mark.filterwarnings("ignore:.*TLSv1(_1)? is deprecated")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("security", [Security.IMPLICIT, Security.STARTTLS])
async def test_a_relay_that_speaks_only_old_tls_is_refused_by_that_name(
    authority: Authority, security: Security, version: ssl.TLSVersion
) -> None:
    """Older versions than 1.2 are not safe, and the advice is not about certificates."""
    context = authority.server()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version

    def play(wire: Wire) -> None:
        if security is Security.STARTTLS:
            for reply in ("220 relay.example\r\n", "250 STARTTLS\r\n", "220 go on\r\n"):
                wire.send(reply)
                if not reply.endswith("on\r\n"):
                    wire.line()
        wire.tls()

    with PuppetRelay(play, context) as relay:
        verdict = await send(SmtpTransport(config(authority, relay.port, security), lambda _: None))
    assert isinstance(verdict, RelayDown)
    assert "no TLS that is new enough" in verdict.detail
    assert "switch on TLS 1.2 or 1.3 there" in verdict.advice
