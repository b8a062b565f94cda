"""One alert to a command: what the process gets, what is made of its end, and that none of it is left behind."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mail_sender.names.secret import Secret
from mail_sender.observe.alerts import command
from mail_sender.observe.alerts.command import Command
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.receiver import NotDelivered
from mail_sender.relay import program
from tests.wire.test_alert_webhook import ALERT, ORIGIN

IGNORES_SIGTERM = "trap '' TERM; echo still here; echo $$ > $1; while :; do sleep 1; done"


async def run(*words: str) -> str:
    """Deliver an alert to this command."""
    return await Command(AlertConfig(command=tuple(map(Secret, words))), ORIGIN).deliver(ALERT)


async def fault(*words: str) -> str:
    """Return why this command has not taken an alert."""
    with pytest.raises(NotDelivered) as caught:
        await run(*words)
    return str(caught.value)


async def test_the_process_gets_the_alert_on_its_input_and_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/alerts.md has it; what systemd means for the sender alone, and a secret, are not passed on."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("MINE", "kept")
    monkeypatch.setenv("MAIL_SENDER_TOKEN", "s3cr3t")
    monkeypatch.setenv("MAIL_SENDER_LEDGER_PATH", "/srv/state")
    script = 'cat > "$1/input"; env > "$1/environment"; echo thanks'
    assert await run("/bin/sh", "-c", script, "sh", str(tmp_path)) == "exit code 0: thanks"
    assert json.loads((tmp_path / "input").read_text())["key"] == "relay_down"
    environment = (tmp_path / "environment").read_text()
    wanted = {
        "MAIL_SENDER_ALERT_STATUS=firing",
        "MAIL_SENDER_ALERT_KEY=relay_down",
        "MAIL_SENDER_ALERT_COUNT=3",
        "MINE=kept",
        "MAIL_SENDER_LEDGER_PATH=/srv/state",
    }
    assert wanted <= set(environment.splitlines())
    assert "NOTIFY_SOCKET" not in environment
    assert "s3cr3t" not in environment


async def test_words_are_not_for_a_shell() -> None:
    """A dollar or a semicolon is what it is."""
    assert await run("/bin/echo", "$HOME; exit 1") == "exit code 0: $HOME; exit 1"


ENDS = {
    "exit code": (("/bin/sh", "-c", "echo no such channel >&2; exit 3"), "/bin/sh exits with 3: no such channel"),
    "signal": (("/bin/sh", "-c", "kill -9 $$"), "/bin/sh was killed by SIGKILL"),
    "missing": (("/nowhere/notify", "s3cr3t"), "/nowhere/notify cannot be started: no such file or directory"),
    "a folder": (("/tmp",), "/tmp cannot be started: permission denied"),
    "much output": (("/bin/sh", "-c", "yes | head -c 3000000; exit 1"), "/bin/sh exits with 1: y y y"),
    "not reading": (("/bin/false",), "/bin/false exits with 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
async def test_an_end_that_is_not_good_is_said_with_the_last_words(name: str) -> None:
    """In one line of bounded length, without the arguments."""
    words, said = ENDS[name]
    text = await fault(*words)
    assert said in text
    assert len(text) < 400
    assert "s3cr3t" not in text


async def test_what_it_leaves_behind_is_not_waited_for_and_ends_with_it(tmp_path: Path) -> None:
    """A process in the background that keeps the output open."""
    async with asyncio.timeout(5):
        assert await run("/bin/sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; echo done") == "exit code 0: done"
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_process_that_ignores_sigterm_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its process group, at the deadline."""
    monkeypatch.setattr(command, "SECONDS", 1.5)
    monkeypatch.setattr(program, "TERM_SECONDS", 0.1)
    text = await fault("/bin/sh", "-c", IGNORES_SIGTERM, "sh", str(tmp_path / "group"))
    assert "did not end within 2 s: still here" in text
    await gone(-int((tmp_path / "group").read_text()))


async def test_a_delivery_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    """A stop of the sender, or a changed configuration."""
    group = tmp_path / "group"
    running = asyncio.ensure_future(run("/bin/sh", "-c", IGNORES_SIGTERM, "sh", str(group)))
    await until(lambda: group.exists() and bool(group.read_text()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(-int(group.read_text()))


async def gone(pid: int) -> None:
    """Wait until no such process, or no process of such a group (negative), runs any more."""
    await until(lambda: not _runs(pid))


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until another process has done something."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - another process's doing is no event here
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if state != "Z" and (int(stat.parent.name) == pid or int(group) == -pid):
            return True
    return False
