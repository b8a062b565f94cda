"""How a connection begins: at the first of the relay's addresses that greets well, and with patience for the greeting."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from mail_sender.relay import addresses, deadlines
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Accepted, RelayDown, Stage
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, HANG, ScriptedRelay
from tests.wire.conftest import Puppet
from tests.wire.mails import send, transport
from tests.wire.puppet_relay import Wire


def resolve_to(monkeypatch: pytest.MonkeyPatch, ports: Sequence[int]) -> None:
    """Let the relay's name have as many addresses as there are ports, all of them on loopback."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port)) for port in ports]

    async def getaddrinfo(*_: object, **__: object) -> list[addresses.Address]:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_a_late_address_is_not_lost_when_the_one_that_was_faster_greets_badly(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """It had not answered yet, and has another turn."""
    loop, calls = asyncio.get_running_loop(), 0
    connect = loop.sock_connect

    async def slow_at_first(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        await connect(*arguments)

    monkeypatch.setattr(addresses, "NEXT_AFTER", 0.01)
    monkeypatch.setattr(loop, "sock_connect", slow_at_first)
    bad, good = ScriptedRelay({"BANNER": "554 no"}, tls=authority.server()), ScriptedRelay(tls=authority.server())
    with bad, good:
        resolve_to(monkeypatch, [good.port, bad.port])
        assert isinstance(await send(transport(authority, 1)), Accepted)


@pytest.mark.parametrize("greeting", [CUT, HANG, "421 4.3.2 busy", "554 5.7.1 not you", "rubbish"])
@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_the_next_address_is_tried_until_a_greeting_is_good(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, mode: str, greeting: str
) -> None:
    """And the good one is the first that the next connection asks."""
    contexts = {mode: authority.server()}
    security = Security.IMPLICIT if mode == "tls" else Security.STARTTLS
    bad = ScriptedRelay({"BANNER": greeting}, **contexts)  # type: ignore[arg-type]  # the key says which of two
    good = ScriptedRelay(**contexts)  # type: ignore[arg-type]  # as above
    with bad, good:
        resolve_to(monkeypatch, [bad.port, good.port])
        way = transport(authority, 1, security, seconds=1.0 if greeting == HANG else 10.0)
        for _ in range(2):
            assert isinstance(await send(way), Accepted)
            await way.close()
    assert (good.verbs().count("QUIT"), good.verbs().count("DATA")) == (2, 2)
    assert "EHLO" not in bad.verbs()
    assert bad.connections <= 2 if greeting == HANG else bad.connections == 1  # one may have been asked for TLS


async def test_an_address_with_a_wrong_certificate_leaves_the_next_one_its_turn(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Nothing is said to the first."""
    with ScriptedRelay(tls=authority.server(days=-1)) as bad, ScriptedRelay(tls=authority.server()) as good:
        resolve_to(monkeypatch, [bad.port, good.port])
        assert isinstance(await send(transport(authority, 1)), Accepted)
    assert bad.commands == []


async def test_where_no_greeting_is_good_the_address_that_came_furthest_is_reported(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """A 554 says more than a refused connection."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    with ScriptedRelay({"BANNER": "554 5.7.1 not you"}, tls=authority.server()) as bad:
        resolve_to(monkeypatch, [bad.port, nobody])
        verdict = await send(transport(authority, 1))
    assert isinstance(verdict, RelayDown)
    assert (verdict.stage, str(verdict.reply)) == (Stage.BANNER, "554 5.7.1 not you")


@pytest.mark.parametrize(("security", "seconds"), [(Security.IMPLICIT, 1.0), (Security.STARTTLS, 0.2)])
async def test_a_greeting_may_take_longer_than_the_connection(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, puppet: Puppet, security: Security, seconds: float
) -> None:
    """Once TCP stands it has RFC 5321's five minutes, not `mail_connect_timeout_seconds`."""
    relay = puppet(lambda wire: greets_when_it_likes(wire, security))
    monkeypatch.setattr(KnownRelay, "does_not_greet", lambda *_: relay.wires[0].done.set())
    verdict = await send(transport(authority, relay.port, security, seconds))
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.EHLO


def greets_when_it_likes(wire: Wire, security: Security) -> None:
    """Greet after a while, and hang up at EHLO; a second connection, which asks for TLS, hears nothing."""
    if wire.number > 1:
        wire.done.wait()
        return
    if security is Security.IMPLICIT:
        wire.tls()
    wire.done.wait()
    wire.send("220 relay.example\r\n")
    wire.line()


async def test_a_relay_that_never_greets_is_named_early_and_given_up_late(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """After five minutes, which are shorter here; the log says once what is waited for."""
    monkeypatch.setattr(deadlines, "GREETING", 0.1)
    with (
        ScriptedRelay({"BANNER": HANG}) as relay,
        structlog.testing.capture_logs() as logged,
    ):
        way = transport(authority, relay.port, Security.STARTTLS, seconds=0.3)
        await send(way)
        verdict = await send(way)
    (slow,) = [event for event in logged if event["event"] == "relay_slow"]
    assert "smtps://" in slow["message"]
    assert isinstance(verdict, RelayDown)
    assert (verdict.stage, verdict.lasting) == (Stage.BANNER, False)
    assert "sends no greeting" in verdict.detail


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_addresses_that_answer_nothing_have_the_time_of_one(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, count: int
) -> None:
    """And the sentence names the key that sets it."""
    connections = 0

    async def never(*_: object) -> None:
        nonlocal connections
        connections += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(addresses, "NEXT_AFTER", 0.01)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    resolve_to(monkeypatch, [1] * count)
    verdict = await send(transport(authority, 1, seconds=0.1))
    assert isinstance(verdict, RelayDown)
    assert (verdict.stage, connections) == (Stage.CONNECT, count)
    assert "raise mail_connect_timeout_seconds (0.1)" in verdict.advice


@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_where_only_time_ran_out_the_sentence_names_the_key(
    authority: Authority, puppet: Puppet, mode: str
) -> None:
    """TLS that does not come within `mail_connect_timeout_seconds`, before or after STARTTLS."""

    def says_nothing(wire: Wire) -> None:
        if mode == "starttls":
            wire.send("220 relay.example\r\n")
            wire.line()
            wire.send("250-relay.example\r\n250 STARTTLS\r\n")
            wire.line()
            wire.send("220 go on\r\n")
        wire.done.wait()

    security = Security.IMPLICIT if mode == "tls" else Security.STARTTLS
    verdict = await send(transport(authority, puppet(says_nothing).port, security, seconds=0.4))
    assert isinstance(verdict, RelayDown)
    assert verdict.stage == mode
    assert "raise mail_connect_timeout_seconds (0.4)" in verdict.advice


async def test_a_port_where_tls_was_left_open_may_greet_late(authority: Authority, puppet: Puppet) -> None:
    """It says nothing to a handshake before its greeting: then STARTTLS is tried, with patience."""

    def greets_late(wire: Wire) -> None:
        if wire.number == 1:
            wire.done.wait()
            return
        wire.send("220 relay.example\r\n")
        wire.line()

    relay = puppet(greets_late)
    verdict = await send(transport(authority, relay.port, Security.DISCOVER, seconds=0.4))
    assert isinstance(verdict, RelayDown)
    assert (verdict.stage, len(relay.wires)) == (Stage.EHLO, 2)
