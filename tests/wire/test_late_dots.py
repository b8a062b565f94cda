"""A dot that may go out until some time: what waits in this process would go out after a stop, however long it was."""

import asyncio
import os
import socket
import threading
from contextlib import suppress

import pytest

from mail_sender import clock
from mail_sender.relay.protocol import RelayProtocol
from mail_sender.relay.transport import DotLate
from mail_sender.verdict import Accepted
from tests.support.certificates import Authority
from tests.wire.conftest import Puppet
from tests.wire.mails import MAIL, transport
from tests.wire.puppet_relay import Wire
from tests.wire.test_reply_octets import END, MANY_LINES


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch) -> list[RelayProtocol]:
    """Give the connections over which mails go, as they begin."""
    found: list[RelayProtocol] = []
    write = RelayProtocol.write_body

    def noted(protocol: RelayProtocol, content: bytes) -> bytes:
        found.append(protocol)
        return write(protocol, content)

    monkeypatch.setattr(RelayProtocol, "write_body", noted)
    return found


def fill(protocol: RelayProtocol) -> None:
    """Fill the kernel's buffers, so that it takes nothing more, although nothing waits in this process."""
    assert protocol.transport is not None
    number = os.dup(protocol.transport.get_extra_info("socket").fileno())
    with suppress(BlockingIOError), socket.socket(fileno=number) as same:
        while same.send(MANY_LINES):
            pass


@pytest.mark.parametrize("where", ["process", "kernel"])
async def test_a_dot_that_would_wait_in_this_process_is_not_written(
    authority: Authority, puppet: Puppet, protocols: list[RelayProtocol], where: str
) -> None:
    """The relay reads nothing for as long as the dot may go out: the connection ends without it."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.done.wait()

    async def before_dot() -> float:
        (protocol,) = protocols
        if where == "process":
            protocol.write(MANY_LINES)
        else:
            fill(protocol)
        return clock.elapsed() + 0.2

    relay = puppet(play)
    with pytest.raises(DotLate):
        await asyncio.wait_for(transport(authority, relay.port).send(MAIL, before_dot), 20)


async def test_a_dot_goes_as_soon_as_the_kernel_takes_it(
    authority: Authority, puppet: Puppet, protocols: list[RelayProtocol]
) -> None:
    """A relay that reads again in time gets it."""
    reads = threading.Event()

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        reads.wait()
        wire.until(END)
        wire.send("250 2.0.0 ok\r\n")
        wire.heard_until_silence()

    async def before_dot() -> float:
        (protocol,) = protocols
        protocol.write(b"\n" + MANY_LINES[:-1])  # the body's last octet goes with the dot
        asyncio.get_running_loop().call_later(0.1, reads.set)
        return clock.elapsed() + 20

    way = transport(authority, puppet(play).port)
    verdict = await asyncio.wait_for(way.send(MAIL, before_dot), 20)
    await way.close()
    assert isinstance(verdict, Accepted)
