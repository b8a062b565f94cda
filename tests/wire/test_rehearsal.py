"""A rehearsal goes as far as MAIL FROM and RSET, at the address that it is told, and never names a recipient."""

from datetime import UTC, datetime, timedelta

from mail_sender.relay.connection import Rehearsed
from mail_sender.relay.rehearsal import Rehearsal
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import RelayDown, Stage
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import config

FROM = "idm@example.com"
OPENING = ["EHLO", "STARTTLS", "EHLO"]


async def rehearsed(authority: Authority, relay: ScriptedRelay, *, login: bool = True) -> Rehearsed:
    rehearsal = Rehearsal(config(authority, relay.port, Security.STARTTLS))
    found = await rehearsal.addresses()
    assert isinstance(found, list)
    address = next(one for one in found if one[4][0] == "127.0.0.1")
    return await (rehearsal.with_login(address, FROM) if login else rehearsal.without_login(address))


async def test_a_rehearsal_asks_for_the_sender_and_takes_it_back(authority: Authority) -> None:
    """Nothing is sent: no recipient, no DATA; the relay's side is left in order."""
    with ScriptedRelay(starttls=authority.server(days=40)) as relay:
        found = await rehearsed(authority, relay)
    assert found.fault is None
    assert relay.verbs() == [*OPENING, "AUTH", "MAIL", "RSET", "QUIT"]
    assert found.facts is not None
    assert found.facts.tls == "TLSv1.3"
    assert found.facts.mechanisms == found.facts.in_clear == ("plain", "login")
    assert found.facts.certificate is not None
    left = found.facts.certificate.ends - datetime.now(UTC)
    assert timedelta(days=39) < left <= timedelta(days=40)
    assert not found.facts.certificate.is_ca


async def test_without_a_login_no_password_is_said(authority: Authority) -> None:
    """A wrong password that is said at each address of a relay could lock the account."""
    with ScriptedRelay(starttls=authority.server()) as relay:
        found = await rehearsed(authority, relay, login=False)
    assert found.fault is None
    assert relay.verbs() == [*OPENING, "QUIT"]


async def test_what_ends_a_rehearsal_is_the_verdict_that_a_mail_would_get(authority: Authority) -> None:
    """The relay's refusal of our From address, with what to do."""
    with ScriptedRelay({"MAIL": "553 5.7.1 not yours"}, starttls=authority.server()) as relay:
        found = await rehearsed(authority, relay)
    assert found.facts is not None
    assert isinstance(found.fault, RelayDown)
    assert found.fault.stage is Stage.MAIL
    assert "may not send as mail_from_address" in found.fault.advice


async def test_a_failed_reset_changes_nothing(authority: Authority) -> None:
    """The answer to MAIL FROM was a yes, and the connection ends anyway."""
    with ScriptedRelay({"RSET": "cut"}, starttls=authority.server()) as relay:
        found = await rehearsed(authority, relay)
    assert found.fault is None
