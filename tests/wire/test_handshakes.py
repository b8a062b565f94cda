"""Handshakes on real connections: names with a dot at their end, and wishes for a client certificate."""

import socket
import ssl
from typing import Any

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from mail_sender.verdict import Accepted, RelayDown
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, ScriptedRelay
from tests.wire.mails import MAIL, NOW, send
from tests.wire.test_server_connections import BODY, HEAD, HttpsServer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Resolve names with a dot at their end, as a name server does; give what was looked up."""
    names: list[str] = []
    look_up = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **more: Any) -> Any:
        names.append(host.decode() if isinstance(host, bytes) else host)
        return look_up(names[-1].rstrip("."), *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names


def through(port: int, authority: Authority, security: Security) -> SmtpTransport:
    """Return a transport to a relay whose name ends in a dot."""
    config = RelayConfig("localhost.", port, security, "client.example", ca_path=authority.pem)
    return SmtpTransport(config, lambda _: None)


def noting(authority: Authority, names: list[str | None]) -> ssl.SSLContext:
    """Return a server's context that notes the names in SNI."""
    context = authority.server()
    context.sni_callback = lambda _, name, __: names.append(name)
    return context


@pytest.mark.parametrize("security", [Security.IMPLICIT, Security.STARTTLS])
async def test_a_relay_is_looked_up_with_the_dot_and_verified_without(
    authority: Authority, asked: list[str], security: Security
) -> None:
    """With TLS from the first byte and with STARTTLS."""
    names: list[str | None] = []
    key = "tls" if security is Security.IMPLICIT else "starttls"
    with ScriptedRelay(**{key: noting(authority, names)}) as relay:  # type: ignore[arg-type]  # one of two keys
        transport = through(relay.port, authority, security)
        assert isinstance(await send(transport), Accepted)
        await transport.close()
    assert (asked, names) == (["localhost."], ["localhost"])


async def test_the_server_is_looked_up_with_the_dot_and_verified_without(
    authority: Authority, asked: list[str]
) -> None:
    """The same for `uri`."""
    names: list[str | None] = []
    server = HttpsServer(noting(authority, names), [[HEAD + BODY]])
    uri = server.url.replace("localhost", "localhost.")
    source = KanidmSource(SourceConfig(uri, Secret("a-token"), ca_path=authority.pem))
    assert (await source.list_ready(NOW)).messages == ()
    await source.close()
    server.close()
    assert (asked, names) == (["localhost."], ["localhost"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_relay_that_wants_a_client_certificate_says_so_in_the_handshake(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 the handshake is over for us by then."""
    context = authority.server(client_ca=authority.pem)
    context.maximum_version = version
    with ScriptedRelay(tls=context) as relay:
        config = RelayConfig("localhost", relay.port, Security.IMPLICIT, "client.example", ca_path=authority.pem)
        verdict = await SmtpTransport(config, lambda _: None).send(MAIL, nothing)
    assert isinstance(verdict, RelayDown)
    assert "set [relay] client_cert_path" in verdict.advice


@pytest.mark.parametrize("verb", ["BANNER", "EHLO"])
async def test_a_relay_that_only_closes_wants_no_client_certificate(authority: Authority, verb: str) -> None:
    """Nothing sends people to a key that has nothing to do with it."""
    with ScriptedRelay({verb: CUT}, tls=authority.server()) as relay:
        config = RelayConfig("localhost", relay.port, Security.IMPLICIT, "client.example", ca_path=authority.pem)
        verdict = await SmtpTransport(config, lambda _: None).send(MAIL, nothing)
    assert isinstance(verdict, RelayDown)
    assert "client" not in verdict.detail + verdict.advice


async def nothing() -> None:
    """Do nothing before the dot."""
