"""Logins with an OAuth token, at an endpoint and a relay of the tests' own, with the answers that providers document."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from mail_sender.ledger.state_folder import StateFolder
from mail_sender.names.secret import Secret
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.oauth import endpoint
from mail_sender.relay.oauth import tokens as shared
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.rehearsal import Rehearsal
from mail_sender.verdict import Accepted, RelayDown, Stage, Verdict
from tests.support.certificates import Authority
from tests.support.connect_proxy import ConnectProxy
from tests.support.scripted_relay import ScriptedRelay
from tests.support.scripted_server import Answer
from tests.support.token_endpoint import TokenEndpoint, granted, refused
from tests.wire import mails
from tests.wire.mails import send

USER = "idm@example.com"
SECRET = "the-client-secret-7Qv"
OFFER = {"EHLO": "250-relay.example\r\n250 AUTH LOGIN XOAUTH2"}
GOOGLE_JSON = {"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}
CHALLENGE = base64.b64encode(json.dumps(GOOGLE_JSON).encode()).decode()

Replies = dict[str, str | list[str]]
Make = Callable[[list[Answer]], TokenEndpoint]


@pytest.fixture
def tokens(authority: Authority) -> Iterator[Make]:
    """Give a maker of token endpoints that are ended with the test."""
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(TokenEndpoint(answers, authority.server()))


def oauth(authority: Authority, at: TokenEndpoint, **fields: object) -> OAuthConfig:
    config = OAuthConfig(
        Flow.CLIENT_CREDENTIALS,
        token_url=f"{at.url}/tenant/oauth2/v2.0/token",
        client_id="app",
        client_secret=Secret(SECRET),
        scope="https://outlook.office365.com/.default",
        ca_path=authority.pem,
    )
    return replace(config, **fields)  # type: ignore[arg-type]  # what a test changes


def config(authority: Authority, relay: ScriptedRelay, by: OAuthConfig) -> RelayConfig:
    return replace(mails.config(authority, relay.port), username=USER, password=None, oauth=by)


def transport(authority: Authority, relay: ScriptedRelay, by: OAuthConfig) -> SmtpTransport:
    return SmtpTransport(config(authority, relay, by), lambda _: None)


def logins(relay: ScriptedRelay) -> list[str]:
    return [base64.b64decode(line.split()[2]).decode() for line in relay.commands if line.startswith("AUTH XOAUTH2 ")]


def down(verdict: Verdict) -> RelayDown:
    assert isinstance(verdict, RelayDown)
    return verdict


async def test_a_token_is_got_said_as_xoauth2_and_kept_for_later_connections(
    authority: Authority, tokens: Make
) -> None:
    """Both as Microsoft documents it: the form of client credentials, and `user=`, `auth=Bearer` in base64."""
    at = tokens([granted("token-1")])
    with ScriptedRelay(OFFER, tls=authority.server()) as relay:
        way = transport(authority, relay, oauth(authority, at))
        for _ in range(2):
            assert isinstance(await send(way), Accepted)
            await way.close()
    assert at.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_secret": SECRET,
            "scope": "https://outlook.office365.com/.default",
        }
    ]
    assert logins(relay) == [f"user={USER}\x01auth=Bearer token-1\x01\x01"] * 2
    assert way.token_expires_at is not None


async def test_a_token_that_is_too_long_for_a_command_follows_a_334(authority: Authority, tokens: Make) -> None:
    """Microsoft's tokens are (RFC 4954, section 4)."""
    at = tokens([granted("t" * 2500)])
    with ScriptedRelay({**OFFER, "AUTH": "334 ", "RESPONSE": "235 ok"}, tls=authority.server()) as relay:
        assert isinstance(await send(transport(authority, relay, oauth(authority, at))), Accepted)
    said = relay.commands[relay.commands.index("AUTH XOAUTH2") + 1]
    assert base64.b64decode(said).decode() == f"user={USER}\x01auth=Bearer {'t' * 2500}\x01\x01"


async def test_oauthbearer_is_used_where_it_is_all_that_is_offered(authority: Authority, tokens: Make) -> None:
    """With host and port (RFC 7628, section 3.1)."""
    at = tokens([granted("token-1")])
    offer: Replies = {"EHLO": "250-relay.example\r\n250 AUTH PLAIN OAUTHBEARER"}
    with ScriptedRelay(offer, tls=authority.server()) as relay:
        assert isinstance(await send(transport(authority, relay, oauth(authority, at))), Accepted)
    (line,) = [line for line in relay.commands if line.startswith("AUTH")]
    expected = f"n,a={USER},\x01host=localhost\x01port={relay.port}\x01auth=Bearer token-1\x01\x01"
    assert base64.b64decode(line.removeprefix("AUTH OAUTHBEARER ")).decode() == expected


async def test_many_connections_at_once_and_a_rehearsal_share_one_renewal(authority: Authority, tokens: Make) -> None:
    """The endpoint is asked once; all wait for that answer."""
    at = tokens([granted("token-1")])
    at.held.clear()
    with ScriptedRelay(OFFER, tls=authority.server()) as relay:
        way = transport(authority, relay, oauth(authority, at))
        rehearsal = Rehearsal(config(authority, relay, oauth(authority, at)))
        waiting = [asyncio.ensure_future(send(way)) for _ in range(5)]
        waiting_too = asyncio.ensure_future(rehearsal.token_expires_at())
        async with asyncio.timeout(10):
            while not at.posted:  # noqa: ASYNC110 - the endpoint is in a thread
                await asyncio.sleep(0.01)
        waiting.pop().cancel()
        at.held.set()
        assert all(isinstance(verdict, Accepted) for verdict in await asyncio.gather(*waiting))
        assert await waiting_too == way.token_expires_at
        await way.close()
    assert len(at.forms) == 1


async def test_a_refused_token_that_was_kept_leads_to_one_renewal_and_one_more_login(
    authority: Authority, tokens: Make
) -> None:
    """Somebody revoked it: the mail goes out all the same. A new one that is refused as well is the end."""
    at = tokens([granted("token-1"), granted("token-2"), granted("token-3"), granted("token-4")])
    replies: Replies = {**OFFER, "AUTH": ["235 ok", "535 5.7.3 no", "235 ok", "535 5.7.3 no", "535 5.7.3 no"]}
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        way = transport(authority, relay, oauth(authority, at))
        for _ in range(2):
            assert isinstance(await send(way), Accepted)
            await way.close()
        assert [login.split("Bearer ")[1][:7] for login in logins(relay)] == ["token-1", "token-1", "token-2"]
        verdict = down(await send(way))
        assert [login.split("Bearer ")[1][:7] for login in logins(relay)][3:] == ["token-2", "token-3"]
        assert len(at.forms) == 3
        # The next probe has a new one from the start, and says it once.
        down(await send(way))
    assert [login.split("Bearer ")[1][:7] for login in logins(relay)][5:] == ["token-4"]
    assert verdict.stage is Stage.AUTH
    assert verdict.lasting


GOOGLE = (
    "535-5.7.8 Username and Password not accepted. For more information, go to\r\n"
    "535 5.7.8  https://support.google.com/mail/?p=BadCredentials a640c23a62f3a-1 - gsmtp"
)


async def test_the_json_of_a_334_is_answered_and_said_with_the_refusal_that_follows(
    authority: Authority, tokens: Make
) -> None:
    """As Google and Microsoft document XOAUTH2: an empty line, and then the 535 comes."""
    at = tokens([granted("token-1")])
    replies: Replies = {**OFFER, "AUTH": f"334 {CHALLENGE}", "RESPONSE": GOOGLE}
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        verdict = down(await send(transport(authority, relay, oauth(authority, at))))
    assert verdict.stage is Stage.AUTH
    assert "535 5.7.8 Username and Password not accepted." in verdict.detail
    assert "(status 400, scope https://mail.google.com/)" in verdict.detail
    assert relay.commands[-1] == "-"  # an empty line
    assert len(at.forms) == 1


async def test_the_answer_to_an_error_of_oauthbearer_is_its_own(authority: Authority, tokens: Make) -> None:
    """`AQ==`, a single control character (RFC 7628, section 3.2.3)."""
    at = tokens([granted("token-1")])
    replies: Replies = {
        "EHLO": "250-x\r\n250 AUTH OAUTHBEARER",
        "AUTH": f"334 {CHALLENGE}",
        "RESPONSE": "535 5.7.8 no",
    }
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        down(await send(transport(authority, relay, oauth(authority, at))))
    assert relay.commands[-1] == "AQ=="


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (
            refused(401, "invalid_client", f"AADSTS7000215: Invalid client secret {SECRET}"),
            "the client secret is wrong",
        ),
        (Answer(302, b"", {"location": "https://elsewhere.example/"}), "a redirect, which is not followed"),
        (Answer(200, b"x", hang=True), "no answer in time"),
        (Answer(200, b'{"access_token": "t', missing=9), "no answer in time"),
    ],
)
async def test_an_endpoint_that_gives_no_token_is_the_relays_fault(
    authority: Authority, tokens: Make, monkeypatch: pytest.MonkeyPatch, answer: Answer, seen: str
) -> None:
    """No connection to the relay is opened for it. The breaker opens, and no message has an attempt counted."""
    monkeypatch.setattr(endpoint, "SECONDS", 0.3 if answer.hang or answer.missing else 10.0)
    at = tokens([answer])
    with ScriptedRelay(OFFER, tls=authority.server()) as relay:
        verdict = down(await send(transport(authority, relay, oauth(authority, at))))
        assert relay.connections == 0
    assert verdict.stage is Stage.TOKEN
    assert "the token endpoint at localhost" in verdict.detail
    assert seen in verdict.detail
    assert SECRET not in str(verdict)
    assert len(at.forms) <= 1  # a question may be late, where there is a deadline


async def test_an_endpoint_that_is_not_there_or_not_trusted_is_named(authority: Authority, tokens: Make) -> None:
    """The one passes, the other needs a person."""
    at = tokens([granted("token-1")])
    with ScriptedRelay(OFFER, tls=authority.server()) as relay:
        strange = down(await send(transport(authority, relay, oauth(authority, at, ca_path=None))))
        gone = oauth(authority, at, token_url="http://127.0.0.1:1/token")
        refused_connection = down(await send(transport(authority, relay, gone)))
    assert strange.lasting
    assert "its CA is not trusted" in strange.detail
    assert "[relay.oauth] ca_path" in strange.advice
    assert not refused_connection.lasting
    assert "connection refused" in refused_connection.detail


async def test_the_proxy_of_the_environment_is_used(authority: Authority, tokens: Make) -> None:
    """As it is for the identity server; the configuration finds it."""
    at = tokens([granted("token-1")])
    with ConnectProxy() as proxy, ScriptedRelay(OFFER, tls=authority.server()) as relay:
        by = oauth(authority, at, proxy=Secret(proxy.url))
        assert isinstance(await send(transport(authority, relay, by)), Accepted)
    assert len(proxy.targets) == 1


async def test_a_changed_refresh_token_is_kept_in_the_state_folder_and_used_after_a_restart(
    authority: Authority, tokens: Make, tmp_path: Path
) -> None:
    """Until another one is configured. Where it cannot be kept, that is said, once."""
    at = tokens([granted("token-1", refresh_token="refresh-2"), granted("token-2", refresh_token="refresh-3")])
    state = StateFolder(tmp_path / "state")
    state.path.mkdir()
    by = oauth(authority, at, flow=Flow.REFRESH_TOKEN, refresh_token=Secret("refresh-1"), state=state)
    with (
        ScriptedRelay(OFFER, tls=authority.server()) as relay,
        structlog.testing.capture_logs() as logged,
    ):
        for _ in range(2):  # each is a process of its own, as far as tokens go
            way = transport(authority, relay, by)
            assert isinstance(await send(way), Accepted)
            await way.close()
            shared._SHARED.clear()
        other = replace(by, refresh_token=Secret("refresh-9"), state=None)
        assert isinstance(await send(transport(authority, relay, other)), Accepted)
    assert [form["refresh_token"] for form in at.forms] == ["refresh-1", "refresh-2", "refresh-9"]
    assert state.oauth.stat().st_mode & 0o777 == 0o600
    assert "refresh-3" in state.oauth.read_text()
    kept, memory = ([one for one in logged if one["log_level"] == level] for level in ("info", "warning"))
    assert [one["event"] for one in kept] == ["oauth_refresh_token"] * 2
    assert "memory only" in memory[0]["message"]
    assert "refresh-" not in str(logged)


async def test_a_token_that_the_relay_quotes_is_hidden(authority: Authority, tokens: Make) -> None:
    """Plain, in base64, and as the relay was told it."""
    token = "ya29.a0AfB_byDxQ-secret-Zr8kP2mN4vL6"
    whole = base64.b64encode(f"user={USER}\x01auth=Bearer {token}\x01\x01".encode()).decode()
    echo = f"535 5.7.8 bad {token} {base64.b64encode(token.encode()).decode()} AUTH {whole}"
    at = tokens([granted(token)])
    with ScriptedRelay({**OFFER, "AUTH": echo}, tls=authority.server()) as relay:
        verdict = down(await send(transport(authority, relay, oauth(authority, at))))
    assert "535 5.7.8 bad *** *** AUTH ***" in verdict.detail


async def test_a_relay_that_takes_no_tokens_is_named(authority: Authority, tokens: Make) -> None:
    """With what it offers, and what could be done."""
    at = tokens([granted("token-1")])
    with ScriptedRelay(tls=authority.server()) as relay:
        verdict = down(await send(transport(authority, relay, oauth(authority, at))))
    assert "PLAIN, LOGIN alone" in verdict.detail
    assert "XOAUTH2 or OAUTHBEARER" in verdict.detail
    assert "remove [relay.oauth]" in verdict.advice
