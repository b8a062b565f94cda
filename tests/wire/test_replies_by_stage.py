"""Each reply at each stage has one meaning: this recipient's or message's fault, nobody's, or not to be known."""

import pytest

from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Stage, Uncertain, Verdict
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, ScriptedRelay
from tests.wire.mails import PASSWORD, send, transport

_BEFORE_THE_MAIL = ("BANNER", "EHLO", "AUTH")
_OF_THE_MAIL = ("RCPT", "DATA", "DOT")
_NO_REPLIES = ("abc", "1", "199 odd", "354 odd", "600 odd", "999 odd", "-25 odd", "2", "")


async def verdict_on(authority: Authority, verb: str, reply: str) -> tuple[Verdict, ScriptedRelay]:
    """Send one letter through a relay that has one odd reply."""
    with ScriptedRelay({verb: reply}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        verdict = await send(way)
        await way.close()
    return verdict, relay


@pytest.mark.parametrize("reply", ["421 4.3.2 bye", "450 4.2.0 later", "500 5.5.1 what", "550 5.7.1 no", CUT, "abc"])
@pytest.mark.parametrize("verb", _BEFORE_THE_MAIL)
async def test_what_goes_wrong_before_the_mail_is_the_lanes_fault(
    authority: Authority, verb: str, reply: str
) -> None:
    """No message pays for it, and none is shown to the relay."""
    verdict, relay = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, RelayDown)
    assert verdict.stage == verb.lower()
    assert verdict.lasting == reply.startswith("5")
    assert "MAIL" not in relay.verbs()


@pytest.mark.parametrize("reply", ["450 4.2.0 later", "451 4.3.0 later", "452 4.2.2 full", "454 4.7.0 later"])
@pytest.mark.parametrize("verb", ["MAIL", *_OF_THE_MAIL])
async def test_a_4xx_to_the_mail_defers_it(authority: Authority, verb: str, reply: str) -> None:
    """The reply is kept, and nothing has arrived."""
    verdict, _ = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, Deferred)
    assert (verdict.stage, str(verdict.reply)) == (verb.lower(), reply)


@pytest.mark.parametrize("reply", ["550 5.1.1 no", "552 5.3.4 big", "553 5.1.3 no", "554 5.6.0 no", "555 5.5.4 no"])
@pytest.mark.parametrize("verb", _OF_THE_MAIL)
async def test_a_5xx_to_recipient_or_content_refuses_this_mail_alone(
    authority: Authority, verb: str, reply: str
) -> None:
    """It is not tried again; others are."""
    verdict, _ = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, Refused)
    assert (verdict.stage, str(verdict.reply)) == (verb.lower(), reply)


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_a_421_before_the_dot_is_the_relays_own_trouble(authority: Authority, verb: str) -> None:
    """It closes; this mail is not to blame."""
    verdict, _ = await verdict_on(authority, verb, "421 4.3.2 shutting down")
    assert isinstance(verdict, RelayDown)
    assert not verdict.lasting


async def test_a_421_to_the_dot_defers_this_mail(authority: Authority) -> None:
    """It is a reply: the relay has not taken the mail (RFC 5321, section 4.2.5)."""
    verdict, _ = await verdict_on(authority, "DOT", "421 4.3.2 shutting down")
    assert isinstance(verdict, Deferred)


@pytest.mark.parametrize("reply", [CUT, *_NO_REPLIES])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
async def test_what_is_no_reply_before_the_dot_is_the_lanes_fault(
    authority: Authority, verb: str, reply: str
) -> None:
    """A mail was certainly not handed over."""
    verdict, relay = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, RelayDown)
    assert not relay.mails


@pytest.mark.parametrize("reply", [CUT, *_NO_REPLIES])
async def test_what_is_no_reply_to_the_dot_leaves_the_outcome_open(authority: Authority, reply: str) -> None:
    """3xx, 1xx, 6xx, noise and silence: it may have arrived."""
    verdict, _ = await verdict_on(authority, "DOT", reply)
    assert isinstance(verdict, Uncertain)


@pytest.mark.parametrize("reply", ["250", "250 2.0.0 ok", "251 ok", "252 ok", "299 ok", "200 ok"])
async def test_any_2xx_to_the_dot_is_a_yes(authority: Authority, reply: str) -> None:
    """Only the first digit counts (RFC 5321, section 4.2)."""
    verdict, _ = await verdict_on(authority, "DOT", reply)
    assert isinstance(verdict, Accepted)


@pytest.mark.parametrize("reply", ["250 2.0.0 ok", "220 ok", "235 ok"])
async def test_a_2xx_to_data_shows_no_content(authority: Authority, reply: str) -> None:
    """Without a 3xx the relay would take the mail for commands."""
    verdict, relay = await verdict_on(authority, "DATA", reply)
    assert isinstance(verdict, RelayDown)
    assert relay.verbs()[-1] == "DATA"


@pytest.mark.parametrize("code", [530, 534, 535, 538])
async def test_a_wish_for_a_login_is_the_lanes_fault(authority: Authority, code: int) -> None:
    """Whenever it is uttered before the dot."""
    verdict, _ = await verdict_on(authority, "RCPT", f"{code} 5.7.0 log in")
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.RCPT


@pytest.mark.parametrize("reply", ["535 5.7.8 no", "454 4.7.0 later", "504 5.5.4 not that", "334 ", "500 what"])
async def test_a_refused_login_is_tried_once_by_one_mechanism(authority: Authority, reply: str) -> None:
    """A second try would only help to lock the account."""
    verdict, relay = await verdict_on(authority, "AUTH", reply)
    assert isinstance(verdict, RelayDown)
    assert relay.verbs().count("AUTH") == 1
    assert PASSWORD not in str(verdict)
