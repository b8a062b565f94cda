"""A token that a program prints: in which forms, and what is said where there is none; no secret is shown."""

import asyncio
from pathlib import Path

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import printed_token
from mail_sender.relay.oauth.access_token import UNKNOWN_LIFE, NoToken, TokenFault
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from tests.wire.test_alert_command import gone


def by(*command: str) -> OAuthConfig:
    return OAuthConfig(Flow.COMMAND, command=tuple(map(Secret, command)))


async def fault(*command: str) -> TokenFault:
    with pytest.raises(NoToken) as raised:
        await printed_token.ask(by(*command))
    return raised.value.fault


async def test_a_token_alone_and_a_token_in_json_are_read() -> None:
    """What `gcloud auth print-access-token` prints, and what an endpoint answers."""
    alone, in_json = await asyncio.gather(
        printed_token.ask(by("echo", "ya29.token")),
        printed_token.ask(by("echo", '{"access_token": "t-2", "expires_in": 1800}')),
    )
    assert (alone.access_token.get_secret_value(), alone.lifetime) == ("ya29.token", UNKNOWN_LIFE)
    assert (in_json.access_token.get_secret_value(), in_json.lifetime) == ("t-2", 1800)


async def test_a_program_that_gives_no_token_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit, its standard error without what looks like a secret, and never what it printed."""
    script = tmp_path / "script"
    script.write_text("echo printed-token-1; echo no account, key ya29A0AfB7byDxQ8secret >&2; exit 3")
    rows = await asyncio.gather(
        fault("/bin/sh", str(script)),
        fault("true"),
        fault("echo", "two words"),
        fault("echo", '{"error": "no"}'),
        fault("/nowhere/program", "argument-7Qv"),
        fault("/bin/sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x"),
    )
    seen = [row.detail for row in rows]
    assert seen[0] == "the command /bin/sh exits with 3: no account, key ***"
    assert [text.partition(" prints ")[2][:26] for text in seen[1:4]] == [
        "nothing",
        "a token of 9 characters th",
        "something that holds no ac",
    ]
    assert seen[4] == "the command /nowhere/program cannot be started: no such file or directory"
    assert "65536 characters" in seen[5]
    assert "argument-7Qv" not in str(rows)
    monkeypatch.setattr(printed_token, "SECONDS", 0.2)
    late = await fault("/bin/sh", "-c", "sleep 60")
    assert "did not end within 0 s" in late.detail
    assert not late.lasting


async def test_what_the_program_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline, its children too."""
    monkeypatch.setattr(printed_token, "SECONDS", 0.5)
    await fault("/bin/sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    await gone(int((tmp_path / "pid").read_text()))
