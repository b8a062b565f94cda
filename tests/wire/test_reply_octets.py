"""Replies as octets come: split, joined, too long, too early, in no alphabet at all."""

import asyncio
import threading
from dataclasses import replace

import pytest

from mail_sender.verdict import Accepted, Refused, RelayDown, Uncertain
from tests.support.certificates import Authority
from tests.wire.conftest import Puppet
from tests.wire.mails import MAIL, send, transport
from tests.wire.puppet_relay import Play, Wire

END = b"\r\n.\r\n"
MANY_LINES = (b"x" * 70 + b"\r\n") * 400_000  # 28 MB: more than sockets hold, so that a relay can be early
LONG = replace(MAIL, content=MAIL.content + MANY_LINES)


def answers_the_dot(*packets: str | bytes) -> Play:
    """Return a play that takes a mail, and answers its dot with these packets."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(END)
        for packet in packets:
            wire.send(packet)
        wire.heard_until_silence()

    return play


@pytest.mark.parametrize(
    "packets",
    [
        [bytes([octet]) for octet in b"250-2.0.0 ok\r\n250 2.0.0 queued as X\r\n"],
        [b"250-2.0.0 ok\r\n25", b"0 2.0.0 done\r", b"\n"],
        [b"250 2.0.0 ok\n"],
        [b"250\r\n"],
        [b"250 2.0.0 angenommen f\xfcr M\xfcnchen \xff\xfe\x00\r\n"],
        [b"".join(b"250-" + b"x" * 1000 + b"\r\n" for _ in range(20)) + b"250 ok\r\n"],
        [b"250 " + b"x" * 4000 + b"\r\n"],
    ],
    ids=["octet by octet", "split in the code", "bare LF", "no text", "not UTF-8", "21 lines", "4,000 octets"],
)
async def test_a_yes_is_read_however_it_is_cut_up(authority: Authority, puppet: Puppet, packets: list[bytes]) -> None:
    """TCP keeps no boundaries, and relays keep few limits (RFC 5321, section 4.5.3.1.5)."""
    way = transport(authority, puppet(answers_the_dot(*packets)).port)
    assert isinstance(await send(way), Accepted)
    await way.close()


@pytest.mark.parametrize(
    "packet", [b"250 " + b"x" * 40_000 + b"\r\n", b"250-x\r\n" * 6_000, b"250 ok", b"HTTP/1.1 400\r\n"]
)
async def test_a_reply_that_is_none_leaves_the_outcome_open(
    authority: Authority, puppet: Puppet, packet: bytes
) -> None:
    """Endless, unfinished or foreign: the dot is out."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(END)
        wire.send(packet)

    assert isinstance(await send(transport(authority, puppet(play).port)), Uncertain)


async def test_a_reply_in_the_same_packet_as_the_354_is_not_the_dots(authority: Authority, puppet: Puppet) -> None:
    """Else a mail that the relay refuses is marked as sent."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n250 2.0.0 too early\r\n")
        wire.until(END)
        wire.send("550 5.7.1 refused\r\n")
        wire.heard_until_silence()

    assert not isinstance(await send(transport(authority, puppet(play).port)), Accepted)


async def test_a_yes_before_the_dot_is_not_one(authority: Authority, puppet: Puppet) -> None:
    """No relay can have taken a mail whose end it has not seen."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(b"hello\r\n")
        wire.send("250 2.0.0 too early\r\n")
        wire.done.wait()

    verdict = await send(transport(authority, puppet(play).port), LONG)
    assert isinstance(verdict, RelayDown)


async def test_a_no_before_the_dot_refuses_the_mail_and_ends_the_connection(
    authority: Authority, puppet: Puppet
) -> None:
    """What is said after it would be read as more of the body: nobody waits for its reply."""
    heard = bytearray()

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(b"hello\r\n")
        wire.send("552 5.3.4 too big\r\n")
        heard.extend(wire.heard_until_silence()[-100:])

    async def before_dot() -> None:
        raise AssertionError("the ledger is told of a dot that does not come")

    relay = puppet(play)
    verdict = await transport(authority, relay.port).send(LONG, before_dot)
    assert isinstance(verdict, Refused)
    assert await relay.ended(1)
    assert b"RSET" not in heard


async def test_the_dot_does_not_come_next_before_the_relay_takes_the_body(
    authority: Authority, puppet: Puppet
) -> None:
    """Until then a kill means that the mail was certainly not sent: the ledger must not say that it may have been."""
    reads, dot = threading.Event(), asyncio.Event()

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(b"hello\r\n")
        reads.wait()
        wire.heard_until_silence()

    async def before_dot() -> None:
        dot.set()

    way = transport(authority, puppet(play).port)
    sending = asyncio.ensure_future(way.send(LONG, before_dot))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(dot.wait(), 0.5)
    reads.set()
    await asyncio.wait_for(dot.wait(), 30)
    sending.cancel()


async def test_a_421_with_the_354_is_read_before_the_dot(authority: Authority, puppet: Puppet) -> None:
    """A relay that shuts down has taken nothing, and there is no need for a second copy."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n421 4.3.2 shutting down\r\n")

    assert isinstance(await send(transport(authority, puppet(play).port)), RelayDown)


async def test_a_goodbye_between_two_mails_costs_neither(authority: Authority, puppet: Puppet) -> None:
    """Relays close idle connections with a 421 that answers nothing: the next mail goes over a new one."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(END)
        wire.send("250 2.0.0 ok\r\n421 4.4.2 idle for too long\r\n")

    relay = puppet(play)
    way = transport(authority, relay.port)
    assert isinstance(await send(way), Accepted)
    assert await relay.ended(1)
    assert isinstance(await send(way), Accepted)
    assert len(relay.wires) == 2
