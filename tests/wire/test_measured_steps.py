"""Each step of a conversation with the relay is measured once, well or not, and nothing else is."""

from collections import Counter

import pytest

from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Stage
from tests.support.certificates import Authority
from tests.wire.conftest import Puppet
from tests.wire.mails import config, send
from tests.wire.puppet_relay import EHLO, Wire

MAIL = [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY, Stage.DOT]


def take(wire: Wire, *, dots: int, refuse: bool = False) -> None:
    """Take mails after the login; the second one's recipient may be refused, and taken back by RSET."""
    wire.line()
    wire.send(EHLO)
    wire.line()
    wire.send("235 welcome\r\n")
    for number in range(dots):
        wire.line()
        wire.send("250 ok\r\n")
        wire.line()
        wire.send("550 5.1.1 nobody\r\n" if refuse and not number else "250 ok\r\n")
        if refuse and not number:
            wire.line()
            wire.send("250 reset\r\n")
            continue
        wire.line()
        wire.send("354 go on\r\n")
        wire.until(b"\r\n.\r\n")
        wire.send("250 queued as 1\r\n")
    wire.line()
    wire.send("221 bye\r\n")


@pytest.mark.parametrize("security", [Security.IMPLICIT, Security.STARTTLS])
async def test_each_step_of_two_mails_is_measured(puppet: Puppet, authority: Authority, security: Security) -> None:
    """One opening, and each mail's commands; QUIT and RSET belong to no mail's way."""

    def play(wire: Wire) -> None:
        if security is Security.IMPLICIT:
            wire.tls()
        wire.send("220 relay.example\r\n")
        if security is Security.STARTTLS:
            wire.line()
            wire.send("250-relay.example\r\n250 STARTTLS\r\n")
            wire.line()
            wire.send("220 go\r\n")
            wire.tls()
        take(wire, dots=2, refuse=True)

    heard: list[tuple[Stage, float]] = []
    relay = puppet(play)
    through = SmtpTransport(
        config(authority, relay.port, security), lambda _: None, lambda stage, seconds: heard.append((stage, seconds))
    )
    for _ in range(2):
        await send(through)
    await through.close()
    opening = [Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.AUTH]
    opening += [Stage.TLS] if security is Security.IMPLICIT else [Stage.STARTTLS, Stage.EHLO]
    assert Counter(stage for stage, _ in heard) == Counter([*opening, Stage.MAIL, Stage.RCPT, *MAIL])
    assert all(0 <= seconds < 10 for _, seconds in heard)


async def test_a_step_that_fails_is_measured_too(puppet: Puppet, authority: Authority) -> None:
    """How long a relay takes to hang up is what an operator wants to see."""
    heard: list[Stage] = []
    relay = puppet(lambda wire: wire.tls())
    through = SmtpTransport(config(authority, relay.port), lambda _: None, lambda stage, _: heard.append(stage))
    await send(through)
    assert heard == [Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.BANNER]
