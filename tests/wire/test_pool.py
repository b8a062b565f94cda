"""Open connections: no more than mails in flight, each used again, and closed when it is idle or old."""

import asyncio
import socket
from dataclasses import replace
from unittest.mock import patch

import pytest

from mail_sender.relay import connection, pool
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.protocol import RelayProtocol
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Accepted, Verdict
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import MAIL, nothing, transport


async def send_together(way: SmtpTransport, count: int) -> list[Verdict]:
    """Send so many mails at the same time: each waits at its dot until all are there."""
    there = asyncio.Barrier(count)

    async def before_dot() -> None:
        await there.wait()

    mails = (replace(MAIL, recipient=f"{number}@example.com") for number in range(count))
    return await asyncio.gather(*(way.send(mail, before_dot) for mail in mails))


async def test_sixteen_mails_at_a_time_have_sixteen_connections_however_many_follow(authority: Authority) -> None:
    """They are opened when they are needed, and used again."""
    with ScriptedRelay(tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        for together, opened in ((1, 1), (3, 3), (16, 16), (16, 16), (5, 16)):
            verdicts = await send_together(way, together)
            assert all(isinstance(verdict, Accepted) for verdict in verdicts)
            assert relay.connections == opened
        await way.close()
        relay.wait_for("QUIT", 16)
    assert len(relay.mails) == 41


async def test_what_fewer_mails_leave_idle_is_closed(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a goodbye; the one in use stays."""
    monkeypatch.setattr(pool, "LONGEST_IDLE", -1.0)
    with ScriptedRelay(tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        await send_together(way, 4)
        relay.wait_for("QUIT", 4)
        monkeypatch.undo()
        for _ in range(3):
            await way.send(MAIL, nothing)
        assert relay.connections == 5
        await way.close()


async def test_a_connection_is_given_back_when_it_is_old(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a goodbye, before the next mail, which goes on a new one."""
    monkeypatch.setattr(connection, "OLDEST", -1.0)
    with ScriptedRelay(tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        for _ in range(3):
            assert isinstance(await way.send(MAIL, nothing), Accepted)
        assert (relay.connections, relay.verbs().count("QUIT")) == (3, 2)
        await way.close()


@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_small_packets_are_not_held_back(authority: Authority, mode: str) -> None:
    """TCP_NODELAY: the dot does not wait until the relay has acknowledged the body."""
    security = Security.IMPLICIT if mode == "tls" else Security.STARTTLS
    found: list[int] = []
    write = RelayProtocol.write

    def note(protocol: RelayProtocol, data: bytes) -> None:
        assert protocol.transport is not None
        found.append(protocol.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        write(protocol, data)

    with ScriptedRelay(**{mode: authority.server()}) as relay, patch.object(RelayProtocol, "write", note):  # type: ignore[arg-type]  # the key says which of two
        way = transport(authority, relay.port, security)
        assert isinstance(await way.send(MAIL, nothing), Accepted)
        await way.close()
    assert set(found) == {1}
