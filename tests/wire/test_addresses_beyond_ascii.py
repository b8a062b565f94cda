"""An address whose local part is not ASCII goes to relays that offer SMTPUTF8 (RFC 6531), and to no other."""

from dataclasses import replace

import pytest

from mail_sender.mail.render import render
from mail_sender.verdict import Accepted, Refused, RelayDown, Stage
from tests.support import samples
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import MAIL, NOW, send, transport

OFFERED = "250-relay.example\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN"
JUERGEN = replace(MAIL, recipient="jürgen@xn--exmple-cua.de")


async def test_a_relay_that_offers_it_gets_the_address_as_it_is(authority: Authority) -> None:
    """MAIL says what comes, RCPT and the To field hold the letters in UTF-8, the domain is an A-label."""
    message = samples.message("jürgen@exämple.de")
    mail = render(message, message.recipients[0], samples.MAIL, NOW)
    with ScriptedRelay({"EHLO": OFFERED}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way, mail), Accepted)
        await way.close()
    command, rcpt = (next(line for line in relay.commands if line.startswith(verb)) for verb in ("MAIL", "RCPT"))
    assert command.startswith("MAIL FROM:<idm@example.com> ")
    assert command.endswith(" BODY=8BITMIME SMTPUTF8")
    assert rcpt == "RCPT TO:<jürgen@xn--exmple-cua.de>"
    assert "\r\nTo: jürgen@xn--exmple-cua.de\r\n".encode() in relay.mails[0]


async def test_nothing_is_said_of_it_where_no_address_needs_it(authority: Authority) -> None:
    """A domain in other letters alone is none: it has a spelling in ASCII, which every relay takes."""
    message = samples.message("juergen@exämple.de")
    mail = render(message, message.recipients[0], samples.MAIL, NOW)
    with ScriptedRelay({"EHLO": OFFERED}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way, mail), Accepted)
        await way.close()
    assert not any("SMTPUTF8" in line or "8BITMIME" in line for line in relay.commands)
    assert "RCPT TO:<juergen@xn--exmple-cua.de>" in relay.commands


async def test_a_relay_without_it_is_not_asked_and_the_next_mail_goes_on_the_same_connection(
    authority: Authority,
) -> None:
    """This recipient is refused for good, in words; nobody else pays for it."""
    with ScriptedRelay(tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way), Accepted)
        refused = await send(way, JUERGEN)
        assert isinstance(await send(way), Accepted)
        await way.close()
    assert isinstance(refused, Refused)
    assert (refused.stage, refused.reply) == (Stage.RCPT, None)
    assert "SMTPUTF8" in refused.reason
    assert relay.connections == 1
    assert not any("rgen" in line for line in relay.commands)


@pytest.mark.parametrize("reply", ["553 5.6.7 no such addresses", "550 5.6.9 cannot be delivered"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DOT"])
async def test_a_relay_that_offers_it_may_still_refuse_the_address(
    authority: Authority, verb: str, reply: str
) -> None:
    """The codes that are made for that are the address's fault at every stage, also where others are the lane's."""
    with ScriptedRelay({"EHLO": OFFERED, verb: reply}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        verdict = await send(way, JUERGEN)
        await way.close()
    assert isinstance(verdict, Refused)


async def test_a_new_connection_is_asked_again(authority: Authority) -> None:
    """What one relay offered is nothing that the next one must know (RFC 5321, section 4.1.4)."""
    plain = OFFERED.replace("250-SMTPUTF8\r\n", "")
    with ScriptedRelay({"EHLO": [OFFERED, plain]}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way, JUERGEN), Accepted)
        await way.close()
        assert isinstance(await send(way, JUERGEN), Refused)
        await way.close()


async def test_a_login_that_may_not_send_as_from_is_still_the_lanes_fault(authority: Authority) -> None:
    """A 5xx to MAIL that says nothing of the address stays what it was."""
    with ScriptedRelay({"EHLO": OFFERED, "MAIL": "553 5.7.1 not yours"}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way, JUERGEN), RelayDown)
        await way.close()
