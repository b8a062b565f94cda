"""Replies in real conversations, one of each kind: which verdict follows, and what the relay saw of the mail.

The table of all replies is tested without a relay: tests/unit/relay/test_replies.py.
"""

import pytest

from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Uncertain, Verdict
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, ScriptedRelay
from tests.wire.mails import PASSWORD, send, transport

_NO_REPLIES = ("abc", "1", "199 odd", "354 odd", "999 odd", "-25 odd")


async def verdict_on(authority: Authority, verb: str, reply: str) -> tuple[Verdict, ScriptedRelay]:
    """Send one mail through a relay that has one odd reply."""
    with ScriptedRelay({verb: reply}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        verdict = await send(way)
        await way.close()
    return verdict, relay


@pytest.mark.parametrize(
    ("verb", "reply"), [("BANNER", "421 4.3.2 bye"), ("EHLO", "550 5.7.1 no"), ("AUTH", CUT), ("EHLO", "abc")]
)
async def test_what_goes_wrong_before_the_mail_is_the_relays_fault(
    authority: Authority, verb: str, reply: str
) -> None:
    """No message pays for it, and none is shown to the relay."""
    verdict, relay = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, RelayDown)
    assert verdict.stage == verb.lower()
    assert "MAIL" not in relay.verbs()


@pytest.mark.parametrize(
    ("verb", "reply", "kind"),
    [
        ("MAIL", "450 4.2.0 later", Deferred),
        ("RCPT", "550 5.1.1 no", Refused),
        ("DATA", "451 4.3.0 later", Deferred),
        ("DOT", "554 5.6.0 no", Refused),
        ("DOT", "421 4.3.2 shutting down", Deferred),
    ],
)
async def test_a_reply_to_the_mail_is_about_this_mail(
    authority: Authority, verb: str, reply: str, kind: type[Deferred | Refused]
) -> None:
    """Its stage and its words are kept."""
    verdict, _ = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, kind)
    assert (verdict.stage, str(verdict.reply)) == (verb.lower(), reply)


@pytest.mark.parametrize(("verb", "reply"), [("MAIL", CUT), ("RCPT", "abc"), ("RCPT", "2"), ("DATA", "250 2.0.0 ok")])
async def test_what_is_no_reply_before_the_dot_is_the_relays_fault_and_shows_no_content(
    authority: Authority, verb: str, reply: str
) -> None:
    """A mail was certainly not handed over; after a 2xx to DATA the relay would take it for commands."""
    verdict, relay = await verdict_on(authority, verb, reply)
    assert isinstance(verdict, RelayDown)
    assert not relay.mails
    assert relay.verbs()[-1] == verb


@pytest.mark.parametrize("reply", [CUT, *_NO_REPLIES])
async def test_what_is_no_reply_to_the_dot_leaves_the_outcome_open(authority: Authority, reply: str) -> None:
    """3xx, 1xx, 6xx, noise and silence: it may have arrived."""
    verdict, _ = await verdict_on(authority, "DOT", reply)
    assert isinstance(verdict, Uncertain)


@pytest.mark.parametrize("reply", ["250", "251 ok", "299 ok"])
async def test_any_2xx_to_the_dot_is_a_yes(authority: Authority, reply: str) -> None:
    """Only the first digit counts (RFC 5321, section 4.2)."""
    verdict, _ = await verdict_on(authority, "DOT", reply)
    assert isinstance(verdict, Accepted)


@pytest.mark.parametrize("reply", ["535 5.7.8 no", "454 4.7.0 later", "334 "])
async def test_a_refused_login_is_tried_once_by_one_mechanism(authority: Authority, reply: str) -> None:
    """A second try would only help to lock the account."""
    verdict, relay = await verdict_on(authority, "AUTH", reply)
    assert isinstance(verdict, RelayDown)
    assert relay.verbs().count("AUTH") == 1
    assert PASSWORD not in str(verdict)
