"""A relay on this machine that gets mail without TLS, because the configuration says so."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mail_sender.relay.config import RelayConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.rehearsal import Rehearsal
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Accepted, RelayDown, Stage
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import config, send


@pytest.fixture(params=["TCP", "a unix socket"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ScriptedRelay, RelayConfig]]:
    """Give a relay without TLS, and its configuration."""
    path = tmp_path / "relay.sock" if request.param == "a unix socket" else None
    with ScriptedRelay(path=path) as relay:
        yield relay, RelayConfig(str(path or "127.0.0.1"), relay.port, Security.PLAIN, "client.example")


async def test_it_gets_mail_without_tls_and_without_a_login(local: tuple[ScriptedRelay, RelayConfig]) -> None:
    """STARTTLS is not asked for, and nothing is known of a certificate."""
    relay, way = local
    transport = SmtpTransport(way, lambda _: None)
    assert isinstance(await send(transport), Accepted)
    await transport.close()
    assert relay.verbs() == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert len(relay.mails) == 1
    assert transport.certificate is None


async def test_it_can_be_rehearsed(local: tuple[ScriptedRelay, RelayConfig]) -> None:
    """By the doctor."""
    relay, way = local
    rehearsal = Rehearsal(way)
    found = await rehearsal.addresses()
    assert isinstance(found, list)
    rehearsed = await rehearsal.with_login(found[0], "idm@example.com")
    assert rehearsed.fault is None
    assert rehearsed.facts is not None
    assert (rehearsed.facts.tls, rehearsed.facts.certificate, rehearsed.shown) == ("", None, None)
    assert relay.verbs() == ["EHLO", "MAIL", "RSET", "QUIT"]


async def test_even_a_login_that_slipped_through_is_never_said(
    local: tuple[ScriptedRelay, RelayConfig], authority: Authority
) -> None:
    """Whatever becomes of the configuration before it comes here."""
    relay, way = local
    mistaken = config(authority, relay.port)
    way = replace(way, username=mistaken.username, password=mistaken.password)
    assert isinstance(await send(SmtpTransport(way, lambda _: None)), RelayDown)
    assert relay.verbs() == ["EHLO"]


async def test_a_name_that_leads_elsewhere_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where its other address is this machine's."""
    with ScriptedRelay() as relay:
        look_up = socket.getaddrinfo

        def resolve(_: Any, *arguments: Any, **more: Any) -> Any:
            return [one for host in ("127.0.0.1", "192.0.2.1") for one in look_up(host, *arguments, **more)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        way = RelayConfig("localhost", relay.port, Security.PLAIN, "client.example")
        verdict = await send(SmtpTransport(way, lambda _: None))
        assert relay.connections == 0
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.RESOLVE
    assert verdict.detail == '"localhost" is 192.0.2.1 here, which is not this machine: nothing was sent'
    assert "127.0.0.1" in verdict.advice


async def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As a relay that does not run, with what can be done on this machine."""
    way = RelayConfig(str(tmp_path / "relay.sock"), 0, Security.PLAIN, "client.example")
    verdict = await send(SmtpTransport(way, lambda _: None))
    assert isinstance(verdict, RelayDown)
    assert verdict.detail == f"no connection to unix:{tmp_path}/relay.sock (no such file or directory)"
    assert "this user may connect" in verdict.advice
