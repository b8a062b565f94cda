"""PIPELINING (RFC 2920): the commands of a mail go together, and each reply means what it means one by one."""

import re
from dataclasses import replace
from itertools import product

import pytest
from structlog.testing import capture_logs

from mail_sender.relay import deadlines
from mail_sender.relay.pool import SmtpTransport
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Stage, Throttled, Verdict
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, HANG, ScriptedRelay
from tests.wire.conftest import Puppet
from tests.wire.mails import MAIL, send, transport
from tests.wire.puppet_relay import Wire

OFFER = "250-relay.example\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN"
EHLO = f"{OFFER}\r\n"
SAID = "452 4.4.5 maximum number of messages per session"
YES = {"MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", "DATA": "354 go on", "RSET": "250 ok"}
UNLIKELY = ("354 go on", "250 2.0.0 ok\r\n250 2.0.0 once more", "250 2.0.0 ok\r\n421 4.3.2 bye")
REPLIES = ("451 4.3.0 later", "550 5.1.1 no", "421 4.3.2 bye", SAID, CUT, HANG, "rubbish", *UNLIKELY)


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a relay that says nothing be given up soon."""
    monkeypatch.setattr(deadlines, "COMMAND", 0.3)
    monkeypatch.setattr(deadlines, "RESET", 0.3)
    monkeypatch.setitem(deadlines._OF_STAGE, Stage.DATA, 0.3)


async def send_numbered(way: SmtpTransport, number: int) -> Verdict:
    """Send a mail that can be summary from the others by its recipient and by its content."""
    content = MAIL.content.replace(b"hello", b"mail %d" % number)
    return await send(way, replace(MAIL, recipient=f"{number}@example.com", content=content))


def summary(verdict: Verdict) -> tuple[object, ...]:
    """Return what a verdict says, whichever way it was come by."""
    match verdict:
        case RelayDown(stage, reply=reply, lasting=lasting):
            return RelayDown, stage, reply, lasting
        case Refused(stage, _, reply) | Deferred(stage, reply) | Throttled(stage, reply):
            return type(verdict), stage, reply
    return (type(verdict),)


async def three_mails(
    authority: Authority, verb: str, reply: str, *, fresh: bool, pipelining: bool
) -> tuple[list[tuple[object, ...]], list[int]]:
    """Send three mails, the second of which meets an odd reply; return the verdicts, and which mails arrived."""
    script: dict[str, str | list[str]] = {"EHLO": OFFER, verb: [YES[verb], reply, YES[verb]]}
    with ScriptedRelay(script, tls=authority.server()) as relay:
        way = transport(authority, relay.port, pipelining=pipelining)
        verdicts = []
        for number in range(3):
            verdicts.append(summary(await send_numbered(way, number)))
            if fresh and number == 0:
                await way.close()
        await way.close()
    arrived = [int(found[1]) for mail in relay.mails for found in [re.search(rb"mail (\d)", mail)] if found]
    return verdicts, arrived


@pytest.mark.parametrize(("verb", "reply"), [*product(("MAIL", "RCPT", "DATA"), REPLIES)])
async def test_a_reply_in_a_group_means_what_it_means_alone(authority: Authority, verb: str, reply: str) -> None:
    """Refused, cut, silent, garbled, on a new connection and on a used one; the mails beside it are not touched."""
    for fresh in (True, False):
        alone, alone_arrived = await three_mails(authority, verb, reply, fresh=fresh, pipelining=False)
        grouped, arrived = await three_mails(authority, verb, reply, fresh=fresh, pipelining=True)
        assert grouped[0] == grouped[2] == (Accepted,)
        if reply in UNLIKELY:  # whose reply is one too many, nobody can tell
            assert grouped[1][0] in {alone[1][0], RelayDown}, fresh
            assert set(arrived) <= set(alone_arrived)
        else:
            assert (grouped, arrived) == (alone, alone_arrived), fresh


async def test_a_refused_recipient_costs_a_group_but_no_connection(authority: Authority) -> None:
    """Its DATA is refused as well; RSET goes in front of the next group."""
    script: dict[str, str | list[str]] = {
        "EHLO": OFFER,
        "RCPT": ["550 5.1.1 nobody", "250 ok"],
        "DATA": ["554 5.5.1 no valid recipients", "354 go on"],
    }
    with ScriptedRelay(script, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        verdicts = [await send_numbered(way, number) for number in range(2)]
        await way.close()
    assert summary(verdicts[0])[:2] == (Refused, Stage.RCPT)
    assert isinstance(verdicts[1], Accepted)
    assert relay.verbs()[2:] == ["MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
    assert relay.connections == 1


async def test_a_relay_that_asks_for_the_body_of_a_refused_mail_gets_nothing(
    authority: Authority, puppet: Puppet
) -> None:
    """Neither a body nor a dot: there is nothing that it could deliver to nobody, or to somebody else."""
    rest = bytearray()

    def play(wire: Wire) -> None:
        wire.login(EHLO)
        wire.until(b"DATA\r\n")
        wire.send("250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n")
        rest.extend(wire.heard_until_silence())

    relay = puppet(play)
    assert summary(await send(transport(authority, relay.port)))[:2] == (Refused, Stage.RCPT)
    assert await relay.ended(1)
    assert rest == b""


async def test_the_commands_go_in_one_packet_and_the_body_after_the_yes_to_all(
    authority: Authority, puppet: Puppet
) -> None:
    """The relay holds the 354 back; the dot is announced only after that, and the body comes before it."""
    steps: list[str] = []

    def play(wire: Wire) -> None:
        wire.login(EHLO)
        heard = wire.until(b"DATA\r\n")
        steps.append(heard.decode())
        wire.send("250 ok\r\n250 ok\r\n")
        steps.append(f"before 354: {wire.heard_for(0.2)!r}")
        wire.send("354 go on\r\n")
        wire.until(b"hello\r\n.\r\n")
        steps.append("dot")
        wire.send("250 ok\r\n")
        wire.heard_until_silence()

    async def before_dot() -> None:
        steps.append("before dot")

    way = transport(authority, puppet(play).port)
    assert isinstance(await way.send(MAIL, before_dot), Accepted)
    await way.close()
    commands = f"MAIL FROM:<{MAIL.sender}>\r\nRCPT TO:<{MAIL.recipient}>\r\n"
    assert steps == [commands, "before 354: b''", "before dot", "dot"]


@pytest.mark.parametrize(
    "reply", ["", None, "rubbish\r\n", "503 5.5.0 Improper use of SMTP command pipelining\r\n", "354 go on\r\n"]
)
async def test_a_relay_that_breaks_groups_gets_one_command_at_a_time(
    authority: Authority, puppet: Puppet, reply: str | None
) -> None:
    """It answers the first command alone, and then says nothing, hangs up, or says nonsense: no mail pays for it."""

    def play(wire: Wire) -> None:
        wire.login(EHLO)
        while (line := wire.line()) != "QUIT":
            if wire.has_more:  # a group
                wire.send("250 ok\r\n")
                if reply is not None:
                    wire.send(reply)
                    wire.heard_until_silence()
                return
            wire.send("354 go on\r\n" if line == "DATA" else "250 ok\r\n")
            if line == "DATA":
                wire.until(b"\r\n.\r\n")
                wire.send("250 queued\r\n")

    relay = puppet(play)
    way = transport(authority, relay.port)
    with capture_logs() as logged:
        verdicts = [await send_numbered(way, number) for number in range(3)]
    await way.close()
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert len(relay.wires) == 2
    assert [line["event"] for line in logged].count("relay_pipelining") == 1
