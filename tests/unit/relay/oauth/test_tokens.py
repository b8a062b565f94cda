"""The access token in use: when it is renewed, by how many, and what a failed renewal means."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog

from mail_sender.ledger.state_folder import StateFolder
from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import tokens
from mail_sender.relay.oauth.access_token import RENEW_BEFORE, UNKNOWN_LIFE, Grant, NoToken, TokenFault
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.relay.oauth.refresh_token import RefreshToken
from mail_sender.relay.oauth.tokens import REST, Tokens

CONFIG = OAuthConfig(Flow.COMMAND, command=(Secret("print-token"),))
DOWN = TokenFault("the endpoint is down", "wait", lasting=False)


class Source:
    """Grants a new token at each question, or what it is told; `now` is the time."""

    def __init__(self, *outcomes: Grant | TokenFault) -> None:
        self.now = 1000.0
        self.asked = 0
        self.outcomes: Sequence[Grant | TokenFault] = outcomes
        self.tokens = Tokens(CONFIG, self.ask, lambda: self.now)

    async def ask(self, _config: OAuthConfig, _refresh: Secret | None) -> Grant:
        self.asked += 1
        await asyncio.sleep(0)
        outcome = (
            self.outcomes[self.asked - 1] if self.asked <= len(self.outcomes) else granted(f"token-{self.asked}")
        )
        if isinstance(outcome, TokenFault):
            raise NoToken(outcome)
        return outcome

    async def current(self) -> str:
        return (await self.tokens.current()).text.get_secret_value()


def granted(token: str, seconds: float = 3600.0) -> Grant:
    return Grant(Secret(token), seconds)


async def test_a_token_is_kept_and_renewed_in_time() -> None:
    """Five minutes before its end."""
    source = Source()
    assert [await source.current(), await source.current()] == ["token-1", "token-1"]
    source.now += 3600 - RENEW_BEFORE - 1
    assert await source.current() == "token-1"
    source.now += 1
    assert await source.current() == "token-2"


@pytest.mark.parametrize(("seconds", "used"), [(60.0, 47.0), (UNKNOWN_LIFE, 239.0)])
async def test_a_token_with_a_short_life_is_used_for_most_of_it(seconds: float, used: float) -> None:
    """A fifth of its life before its end; else it would be renewed with each login."""
    source = Source(granted("short", seconds))
    assert await source.current() == "short"
    source.now += used
    assert await source.current() == "short"
    source.now += seconds / 5
    assert await source.current() == "token-2"


async def test_all_who_wait_get_the_token_or_the_fault_of_one_renewal() -> None:
    """Also when the one who began it has gone."""
    source = Source(DOWN)
    faults = await asyncio.gather(*(source.current() for _ in range(5)), return_exceptions=True)
    assert [isinstance(fault, NoToken) and fault.fault is DOWN for fault in faults] == [True] * 5
    assert source.asked == 1
    first, *others = [asyncio.ensure_future(source.current()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == ["token-2"] * 4
    assert source.asked == 2


async def test_a_renewal_that_fails_does_no_harm_while_the_token_is_good() -> None:
    """It is tried again after a while, and said once until it succeeds."""
    source = Source(granted("token-1"), DOWN, DOWN, DOWN)
    await source.current()
    source.now += 3600 - RENEW_BEFORE
    with structlog.testing.capture_logs() as logged:
        assert [await source.current(), await source.current()] == ["token-1", "token-1"]
        assert source.asked == 2
        source.now += REST
        assert await source.current() == "token-1"
        assert source.asked == 3
        source.now += RENEW_BEFORE
        with pytest.raises(NoToken):
            await source.current()
        assert await source.current() == "token-5"
    assert [event["event"] for event in logged if event["log_level"] == "warning"] == ["oauth_not_renewed"]
    assert "token-1" not in str(logged)


async def test_an_endpoint_that_asks_to_be_left_alone_is() -> None:
    """For as long as it says: until then its fault is given again without asking."""
    source = Source(TokenFault("too many", "wait", lasting=False, retry_after=120.0))
    for later in (0.0, 60.0, 59.0):
        source.now += later
        with pytest.raises(NoToken, match="too many"):
            await source.current()
    assert source.asked == 1
    source.now += 2
    assert await source.current() == "token-2"


async def test_a_token_that_a_relay_refused_is_not_used_again() -> None:
    """One that has been replaced meanwhile changes nothing."""
    source = Source()
    first = await source.tokens.current()
    source.tokens.refused(first)
    assert source.tokens.expires_at is None
    second = await source.tokens.current()
    assert second.text.get_secret_value() == "token-2"
    source.tokens.refused(first)
    assert await source.current() == "token-2"
    assert source.tokens.secrets == ("token-1", "token-2")


async def test_a_disk_that_hangs_is_no_reason_to_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The relay is down for that long, and the log says why."""
    hanging = threading.Event()
    monkeypatch.setattr(RefreshToken, "current", lambda _: hanging.wait(10))
    monkeypatch.setattr(tokens, "LONGEST", 0.05)
    config = OAuthConfig(Flow.REFRESH_TOKEN, refresh_token=Secret("r-1"), state=StateFolder(tmp_path))
    source = Source()
    found = Tokens(config, source.ask)
    with pytest.raises(NoToken, match="gave no token within"):
        await found.current()
    hanging.set()


def test_all_who_have_the_same_configuration_share_its_tokens() -> None:
    """The running sender, the one that follows after a change, and a rehearsal; for as long as somebody needs them."""
    kept = tokens.of(CONFIG)
    assert tokens.of(OAuthConfig(Flow.COMMAND, command=(Secret("print-token"),))) is kept
    assert tokens.of(OAuthConfig(Flow.COMMAND, command=(Secret("another"),))) is not kept
