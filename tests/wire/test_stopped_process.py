"""A process that is stopped (SIGSTOP, a suspended machine) longer than a deadline reads what has arrived meanwhile."""

import asyncio
import select

import pytest

from mail_sender.relay.protocol import RelayProtocol
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Accepted
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import send, transport


@pytest.mark.parametrize("mode", ["tls", "starttls"])
@pytest.mark.parametrize("line", [b"EHLO", b"AUTH", b"MAIL", b"RCPT", b"DATA", b"\n.\r\n"])
async def test_a_reply_that_waits_in_the_socket_is_read_before_time_is_judged(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, mode: str, line: bytes
) -> None:
    """At each step: the process is stopped for a day when it waits, and goes on when the reply is there."""
    loop = asyncio.get_running_loop()
    now, write, stopped = loop.time, RelayProtocol.write, 0.0
    monkeypatch.setattr(loop, "time", lambda: now() + stopped)

    def be_stopped(protocol: RelayProtocol) -> None:
        nonlocal stopped
        assert protocol.transport is not None
        assert select.select([protocol.transport.get_extra_info("socket").fileno()], [], [], 10)[0]
        stopped += 86_400.0

    def write_and_be_stopped(protocol: RelayProtocol, data: bytes) -> None:
        write(protocol, data)
        if data.startswith(line) and not stopped:  # right after STARTTLS, what can be read is a ticket of TLS
            loop.call_soon(be_stopped, protocol)  # a step's time begins when it is written

    monkeypatch.setattr(RelayProtocol, "write", write_and_be_stopped)
    contexts = {mode: authority.server()}
    security = Security.IMPLICIT if mode == "tls" else Security.STARTTLS
    with ScriptedRelay(**contexts) as relay:  # type: ignore[arg-type]  # the key says which of two
        way = transport(authority, relay.port, security)
        verdict = await send(way)
        await way.close()
    assert isinstance(verdict, Accepted)
    assert stopped
