"""What the pages show of the programs is what they print: the commands after each prompt are run, on a stub, in the page's sequence."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.repo import blocks
from tests.support import configs, shown
from tests.support.sender import MAIL_SENDER, Sender, run_here
from tests.support.stub import Stub


def shown_by(page: str) -> dict[str, str]:
    """Return what a page shows after each prompt, by the command."""
    found = {command: text for _, command, text in shown.after_prompts(page)}
    assert len(found) == len(shown.after_prompts(page)), f"{page} shows one command twice"
    return found


class Terminal:
    """Types a page's commands, with the two variables that name a stub's configuration."""

    def __init__(self, stub: Stub, page: str, state: Path) -> None:
        self._stub = stub
        self._state = state
        self._expected = shown_by(page)
        self._env = {
            "MAIL_SENDER_CLIENT_CONFIG": str(stub.client_config),
            "MAIL_SENDER_CONFIG": str(stub.sender_config),
            "NO_COLOR": "1",
        }

    def types(self, command: str) -> None:
        """Run a command of the page, and compare what it prints with what is shown there."""
        expected, printed = self._expected.pop(command), self._run(command)
        printed = printed.replace(str(self._state), "/var/lib/mail-sender")
        assert shown.is_like(expected, printed), f"$ {command}\n{printed}\nand the page shows:\n{expected}"

    def waits_while(self, text: str, command: str) -> None:
        """Run a command again as long as it prints a text, for seconds at most."""
        patience = time.monotonic() + 10
        while text in self._run(command):
            assert time.monotonic() < patience, f"$ {command} still says {text!r}"

    def is_done(self) -> bool:
        """Say whether each command of the page was run."""
        return not self._expected

    def _run(self, command: str) -> str:
        command = command.replace(" --dir stub", f" --dir {self._stub.dir}")
        program, *arguments = shlex.split(command)
        if program == "mail-sender" and "|" not in arguments:
            done = run_here("-s", *arguments, env=self._env)
        else:
            env = {**os.environ, **self._env, "PATH": f"{MAIL_SENDER.parent}:{os.environ['PATH']}"}
            done = subprocess.run(
                ["bash", "-c", command], env=env, capture_output=True, text=True, check=False, timeout=60
            )
        return done.stderr + done.stdout


@pytest.fixture
def state() -> Iterator[Path]:
    """Give a state folder whose path is short enough to stand on one line."""
    with TemporaryDirectory(prefix="m") as folder:
        yield Path(folder)


def test_a_newcomer_sees_what_the_first_page_shows(brisk: Stub) -> None:
    """From the doctor to the first deferred mail."""
    terminal = Terminal(brisk, "docs/start.md", brisk.dir / "state")
    terminal.types("mail-sender doctor")
    terminal.types("mail-sender -t ellie@example.com")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("server_ready")
        terminal.types("server-stub person send-reset-token ellie --dir stub")
        sender.wait_for("marked")
        # The ledger hears of the server's marks a moment later, of many at once.
        terminal.waits_while("not marked", "mail-sender queue list")
        terminal.types("mail-sender queue list")
        terminal.types("mail-sender healthcheck --ready")
        (brisk.dir / "refuse.toml").write_text(*blocks.under("docs/start.md", "toml"))
        terminal.types("server-stub message-queue send-test-message ellie --dir stub")
        sender.wait_for("deferred")
        terminal.types("mail-sender queue list --status queued")
    assert terminal.is_done()


@pytest.mark.debian("jq")
def test_an_operator_sees_what_the_page_for_a_bad_night_shows(brisk: Stub, state: Path) -> None:
    """With a sender, without one, with a relay that is down, and with a password that is wrong."""
    terminal = Terminal(brisk, "docs/operating.md", state)
    configs.change(brisk.sender_config, ledger={"path": state})
    as_it_was = brisk.sender_config.read_text()
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
        terminal.types("mail-sender healthcheck")
        assert sender.stop() == 0
    terminal.types("mail-sender queue flush")
    terminal.types("mail-sender queue list -o json | jq -c .condition.message")
    configs.change(brisk.sender_config, mail_relay="smtps://localhost:1")
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("relay_down")
        terminal.types("mail-sender healthcheck --ready")
        terminal.types("mail-sender status")
    brisk.sender_config.write_text(as_it_was)
    configs.change(brisk.sender_config, mail_password="wrong")
    terminal.types("mail-sender doctor")
    assert terminal.is_done()
