"""Logins on the wire: a mechanism that the relay refuses leads to the next one, a login that it refuses to none."""

import base64

import pytest
import structlog

from mail_sender.relay import login
from mail_sender.verdict import Accepted, RelayDown, Stage
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import PASSWORD, send, transport

CHALLENGE = base64.b64encode(b"<1.2@relay.example>").decode()
LOGIN: dict[str, str | list[str]] = {"AUTH LOGIN": "334 VXNlcm5hbWU6", "RESPONSE": ["334 UGFzc3dvcmQ6", "235 ok"]}


def offers(mechanisms: str) -> str:
    return f"250-relay.example\r\n250 AUTH {mechanisms}"


@pytest.mark.parametrize(
    "refusal", ["504 5.5.4 unrecognized type", "502 5.5.1 no", "534 5.7.9 too weak", "500 what?"]
)
async def test_a_refused_mechanism_leads_to_the_next_which_is_logged_and_kept(
    authority: Authority, refusal: str
) -> None:
    """Later connections begin with what worked."""
    with (
        ScriptedRelay({"AUTH PLAIN": refusal, **LOGIN}, tls=authority.server()) as relay,
        structlog.testing.capture_logs() as logged,
    ):
        way = transport(authority, relay.port)
        assert isinstance(await send(way), Accepted)
        await way.close()
        relay._times.clear()
        assert isinstance(await send(way), Accepted)
        await way.close()
    assert relay.verbs().count("AUTH") == 3
    (event,) = [event for event in logged if event["event"] == "relay_login"]
    assert event["mechanism"] == "LOGIN"
    assert "PLAIN" in event["message"]


async def test_cram_md5_is_used_where_it_is_all_that_is_offered(authority: Authority) -> None:
    """The password itself is never said."""
    scripted: dict[str, str | list[str]] = {
        "EHLO": offers("GSSAPI CRAM-MD5"),
        "AUTH": f"334 {CHALLENGE}",
        "RESPONSE": "235 ok",
    }
    with ScriptedRelay(scripted, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way), Accepted)
        await way.close()
    assert "AUTH CRAM-MD5" in relay.commands
    said = base64.b64decode(relay.commands[relay.commands.index("AUTH CRAM-MD5") + 1])
    assert said.startswith(b"mail-sender ")
    assert PASSWORD.encode() not in said


async def test_a_challenge_that_is_none_is_the_relays_fault(authority: Authority) -> None:
    """It is not shown."""
    scripted = {"EHLO": offers("CRAM-MD5"), "AUTH": "334 \udcff not base64!"}
    with ScriptedRelay(scripted, tls=authority.server()) as relay:
        verdict = await send(transport(authority, relay.port))
    assert isinstance(verdict, RelayDown)
    assert verdict.stage is Stage.AUTH
    assert "base64" not in verdict.detail


async def test_a_login_that_is_too_long_for_a_command_follows_a_334(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Of PLAIN (RFC 4954, section 4)."""
    monkeypatch.setattr(login, "LONGEST_COMMAND", 20)
    with ScriptedRelay({"AUTH": "334 ", "RESPONSE": "235 ok"}, tls=authority.server()) as relay:
        way = transport(authority, relay.port)
        assert isinstance(await send(way), Accepted)
        await way.close()
    assert "AUTH PLAIN" in relay.commands


async def test_a_wrong_password_is_said_once_whatever_else_is_offered(authority: Authority) -> None:
    """Also by the second mechanism, after the first was refused as such."""
    scripted: dict[str, str | list[str]] = {
        "EHLO": offers("PLAIN LOGIN CRAM-MD5"),
        "AUTH PLAIN": "504 no",
        "AUTH LOGIN": "334 ",
        "RESPONSE": ["334 ", "535 5.7.8 wrong"],
    }
    with ScriptedRelay(scripted, tls=authority.server()) as relay:
        verdict = await send(transport(authority, relay.port))
    assert isinstance(verdict, RelayDown)
    assert str(verdict.reply) == "535 5.7.8 wrong"
    assert [line for line in relay.commands if line.startswith("AUTH")][1:] == ["AUTH LOGIN"]


async def test_where_all_mechanisms_are_refused_the_last_answer_is_reported(authority: Authority) -> None:
    """There is nothing left to try."""
    with ScriptedRelay({"AUTH": "504 5.5.4 no such type"}, tls=authority.server()) as relay:
        verdict = await send(transport(authority, relay.port))
    assert isinstance(verdict, RelayDown)
    assert verdict.lasting
    assert str(verdict.reply) == "504 5.5.4 no such type"
    assert "mail_password" not in verdict.advice
    assert relay.verbs().count("AUTH") == 2


@pytest.mark.parametrize("offered", ["XOAUTH2", "OAUTHBEARER XOAUTH2", "GSSAPI NTLM"])
async def test_a_relay_whose_logins_we_cannot_do_is_named_with_what_it_offers(
    authority: Authority, offered: str
) -> None:
    """Without the advice to remove the user, who would be needed all the same."""
    with ScriptedRelay({"EHLO": offers(offered)}, tls=authority.server()) as relay:
        verdict = await send(transport(authority, relay.port))
    assert isinstance(verdict, RelayDown)
    assert verdict.lasting
    assert f"{', '.join(offered.split())} alone, but we need" in verdict.detail
    assert "remove" not in verdict.advice
    assert "password" in verdict.advice
