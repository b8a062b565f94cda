"""The plain start of a sender means what the command line means by the same words; all other words are left to it."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mail_sender.cli import app, default_paths, plain_start
from mail_sender.cli.plain_start import PlainStart
from mail_sender.errors import Exit

ENVIRONMENT = {"MAIL_SENDER_CLIENT_CONFIG": "/e/client", "MAIL_SENDER_CONFIG": "/e/sender"}
PLAIN = [
    "", "run", "-s", "-c /a", "-m /b", "-s -c /a -m /b run", "--client-config /a --mail-sender-config=/b -d",
    "--debug --skip-root-check", "-c /a -c /b", "--client-config=/a=b", "-c run run",
]  # fmt: skip
OTHER = [
    "run run", "-c run", "run --once", "run -s", "-sd", "-c", "-c ''", "-c /a -x", "-c -s", "-c/a", "-c=/a", "--client-config=", "-h",
    "--version", "-t a@b.example", "--dry-run /a", "queue list", "-- run", "--fallback 1", "status", "/a", "--client /a", "-s=1",
]  # fmt: skip


@pytest.mark.parametrize("environment", [{}, ENVIRONMENT, dict.fromkeys(ENVIRONMENT, "")], ids=repr)
@pytest.mark.parametrize("words", PLAIN)
def test_a_plain_start_is_what_the_command_line_makes_of_it(
    words: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files and flags, from words and environment."""
    made: list[Any] = []

    class Noted:
        def __init__(self, *given: Any) -> None:
            made.append(given)

        def sender(self) -> Exit:
            return Exit.DONE

    monkeypatch.setattr("mail_sender.cli.start.Start", Noted)
    monkeypatch.setattr("mail_sender.cli.privilege.refuse_real_root", lambda: made.append("refused"))
    monkeypatch.delenv("KANIDM_DEBUG", raising=False)
    env = {**dict.fromkeys(ENVIRONMENT), **environment}
    assert CliRunner().invoke(app.app, shlex.split(words), env=env).exit_code == 0
    start = plain_start.of(shlex.split(words), environment)
    assert start is not None
    refused = [] if start.skips_root_check else ["refused"]
    assert made == [*refused, (start.client_config, start.sender_config, None, start.debug)]


@pytest.mark.parametrize("words", OTHER)
def test_other_words_are_left_to_the_command_line(words: str) -> None:
    """It knows what they mean, or what is wrong with them."""
    assert plain_start.of(shlex.split(words), {}) is None


def test_a_shell_that_asks_for_words_starts_no_sender() -> None:
    """The words so far are a plain start; the shell wants to know which may follow."""
    here = PlainStart(default_paths.CLIENT_CONFIG, default_paths.SENDER_CONFIG, skips_root_check=False, debug=False)
    assert plain_start.of([], {}) == here
    assert plain_start.of([], {"_MAIL_SENDER_COMPLETE": "complete_bash"}) is None
    assert plain_start.of(["-c", "/a"], {}) == PlainStart(Path("/a"), here.sender_config, False, False)
