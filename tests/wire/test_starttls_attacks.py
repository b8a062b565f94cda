"""Somebody on the way to a STARTTLS relay: whatever he strips or slips in, no login and no mail goes in clear."""

import base64

import pytest

from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Accepted, RelayDown, Stage, Verdict
from tests.support.certificates import Authority
from tests.wire.conftest import Puppet
from tests.wire.mails import PASSWORD, send, transport
from tests.wire.puppet_relay import EHLO, Play, PuppetRelay, Wire

OFFER = "250-relay.example\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n"
SECRETS = (b"AUTH", b"MAIL", b"RCPT", b"hello", PASSWORD.encode(), base64.b64encode(PASSWORD.encode())[:-4])


def strips(wire: Wire) -> None:
    """Take the offer of STARTTLS away."""
    wire.send("220 relay.example\r\n")
    wire.line()
    wire.send(EHLO)
    wire.heard_until_silence()


def answers(reply: str | bytes, then: str | bytes = b"") -> Play:
    """Return a play that answers STARTTLS so, and speaks no TLS."""

    def play(wire: Wire) -> None:
        wire.send("220 relay.example\r\n")
        wire.line()
        wire.send(OFFER)
        wire.line()
        wire.send(reply)
        wire.send(then)
        wire.heard_until_silence()

    return play


def offers_no_login_inside_tls(go_on: str) -> Play:
    """Return a play that answers STARTTLS so, starts TLS, and offers there no login, whatever it offered in clear."""

    def play(wire: Wire) -> None:
        wire.send("220 relay.example\r\n")
        wire.line()
        wire.send(OFFER)
        wire.line()
        wire.send(go_on)
        wire.tls()
        wire.line()
        wire.send("250 relay.example\r\n")
        wire.heard_until_silence()

    return play


def answers_before_asked(wire: Wire) -> None:
    """Send the 220 along with the offer, and speak no TLS."""
    wire.send("220 relay.example\r\n")
    wire.line()
    wire.send(OFFER + "220 go on\r\n")
    wire.line()
    wire.send("454 4.7.0 not now\r\n")
    wire.heard_until_silence()


async def attempt(authority: Authority, relay: PuppetRelay, security: Security) -> Verdict:
    """Send one letter, and check what the relay's side of the wire has seen of it."""
    verdict = await send(transport(authority, relay.port, security, seconds=1))
    for number, wire in enumerate(relay.wires, 1):
        assert await relay.ended(number)
        assert not [secret for secret in SECRETS if secret in wire.heard]
    return verdict


@pytest.mark.parametrize(
    "play",
    [
        strips,
        answers("454 4.7.0 TLS not available\r\n"),
        answers("502 5.5.1 what?\r\n"),
        answers("250 of course\r\n"),
        answers("220 go on\r\n", "250-relay.example\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 ok\r\n"),
        answers("220 go on\r\n", b"\x15\x03\x03\x00\x02\x02\x28"),
        answers("noise\r\n"),
        answers_before_asked,
    ],
    ids=["stripped", "454", "502", "250", "plain text after 220", "TLS alert", "noise", "220 before it was asked"],
)
async def test_without_tls_nothing_is_said_in_clear(authority: Authority, puppet: Puppet, play: Play) -> None:
    """The lane is down at STARTTLS, and all that was heard is EHLO, STARTTLS and the client's half of TLS."""
    verdict = await attempt(authority, puppet(play), Security.STARTTLS)
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.STARTTLS


async def test_where_tls_must_be_found_out_a_stripped_offer_is_no_way_out(
    authority: Authority, puppet: Puppet
) -> None:
    """TLS from the first byte, then STARTTLS, then nothing."""
    relay = puppet(strips)
    assert isinstance(await attempt(authority, relay, Security.DISCOVER), RelayDown)
    assert len(relay.wires) == 2


async def test_what_is_slipped_in_behind_the_220_is_not_heard_inside_tls(
    authority: Authority, puppet: Puppet
) -> None:
    """An offer in clear, in the same packet as the 220, is not taken for the relay's own (RFC 3207, section 4.2)."""
    play = offers_no_login_inside_tls("220 go on\r\n250-evil.example\r\n250 AUTH PLAIN\r\n")
    verdict = await attempt(authority, puppet(play), Security.STARTTLS)
    assert isinstance(verdict, RelayDown)
    # Where the library sees them as a part of the handshake, that ends there; else its login is not to be had.
    assert verdict.stage in {Stage.STARTTLS, Stage.AUTH}


async def test_what_was_offered_before_tls_is_forgotten(authority: Authority, puppet: Puppet) -> None:
    """Only the second EHLO's offer of logins counts."""
    play = offers_no_login_inside_tls("220 go on\r\n")
    verdict = await attempt(authority, puppet(play), Security.STARTTLS)
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.AUTH


async def test_one_answer_in_clear_does_not_settle_how_tls_starts(authority: Authority, puppet: Puppet) -> None:
    """A balancer without a relay behind it answers a TLS port in plain text; later the port is what it was."""

    def play(wire: Wire) -> None:
        if wire.number <= 2:
            wire.send("421 4.3.2 nobody there\r\n")
            wire.heard_until_silence()
            return
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(b"\r\n.\r\n")
        wire.send("250 2.0.0 ok\r\n")

    way = transport(authority, puppet(play).port, Security.DISCOVER, seconds=1)
    assert isinstance(await send(way), RelayDown)
    assert isinstance(await send(way), Accepted)
