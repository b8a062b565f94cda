"""Whether mail flows, by the installed program: all is well, the relay is down, the sender hangs, or none runs."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pydantic import TypeAdapter

from mail_sender.observe.status import Status
from tests.support import configs
from tests.support.sender import MAIL_SENDER, Sender, run
from tests.support.stub import Stub

READ = TypeAdapter(Status)
BOUND = 25.0
"""Seconds within which a command about a sender that hangs ends: 5 for the answer, and a busy machine's start."""


@pytest.fixture
def state(brisk: Stub, tmp_path: Path) -> Path:
    """Give the state folder that the stub's mail-sender config names."""
    configs.change(brisk.sender_config, ledger={"path": tmp_path / "state"})
    return tmp_path / "state"


def ask(stub: Stub, *words: str, **env: str) -> CompletedProcess[str]:
    """Run a command with the stub's mail-sender config."""
    done = run("-m", stub.sender_config, *words, env=env)
    assert "Traceback" not in done.stderr
    return done


def as_json(stub: Stub) -> tuple[int, Status]:
    """Return the exit code, and the status."""
    done = ask(stub, "status", "-o", "json")
    return done.returncode, READ.validate_json(done.stdout)


def test_all_is_well_until_the_sender_hangs_or_is_killed(brisk: Stub, state: Path) -> None:
    """0, then 1 within a bound, then 3 while a message waits at the server; the ledger says what it knows."""
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
        code, found = as_json(brisk)
        assert (code, found.healthy, found.answered_by) == (0, True, "sender")
        assert found.sender is not None
        assert (found.sender.pid, found.sender.ready) == (sender.process.pid, True)
        assert found.queue is not None
        assert (found.queue.states["sent"], found.queue.unmarked) == (1, 0)
        assert found.attempts is not None
        assert found.attempts.last_hour == {"accepted": 1}
        assert {one.name for one in found.expiries} == {"server_certificate", "relay_certificate"}
        shown = ask(brisk, "status")
        assert shown.stdout.startswith("mail flows\n")
        assert "\x1b" not in shown.stdout
        healthy = ask(brisk, "healthcheck", "--ready")
        assert (healthy.returncode, healthy.stdout) == (0, "alive and ready\n")

        sender.signal(signal.SIGSTOP)
        named = f"a sender does not answer: process {sender.process.pid} on "
        for command, said in (("status", named), ("healthcheck", "not healthy: the sender does not answer")):
            began = time.monotonic()
            hung = ask(brisk, command)
            assert (hung.returncode, time.monotonic() - began < BOUND) == (1, True), hung.stdout
            assert hung.stdout.startswith(said)
        sender.process.kill()
        sender.process.wait()

    brisk.send_test("ellie")
    code, found = as_json(brisk)
    assert (code, found.healthy, found.answered_by, found.sender) == (3, False, "ledger", None)
    assert found.queue is not None
    assert found.queue.states["sent"] == 1
    assert ask(brisk, "status").stdout.startswith("no sender runs: ")
    assert ask(brisk, "healthcheck").returncode == 3
    for verb in (["list"], ["flush"], ["show", str(brisk.messages()[0]["id"])]):
        assert ask(brisk, "queue", *verb).stderr.startswith("no sender runs: "), verb
    condition, entry = map(json.loads, ask(brisk, "queue", "list", "-o", "json").stdout.splitlines())
    assert (condition["condition"]["name"], entry["status"]) == ("sender", "sent")
    assert {file.name for file in state.iterdir()} >= {"ledger.db", "ledger.lock"}


def test_a_relay_that_is_down_stands_in_the_way(brisk: Stub, state: Path) -> None:
    """It is said with its cure and its next try; the sender is alive, and not ready."""
    configs.change(brisk.sender_config, mail_relay="smtps://localhost:1")
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("relay_down")
        down = ask(brisk, "status")
        assert down.returncode == 1
        assert down.stdout.startswith("mail waits: the relay cannot be used\n  relay (")
        assert "    do: " in down.stdout
        assert "next try " in down.stdout
        assert "breaker open since" in down.stdout or "breaker half-open since" in down.stdout
        assert ask(brisk, "healthcheck").returncode == 0
        assert ask(brisk, "healthcheck", "--ready").returncode == 1
        assert sender.stop() == 0
    assert state.is_dir()


def test_a_status_that_goes_on_ends_on_ctrl_c_with_its_own_code(brisk: Stub, state: Path) -> None:
    """Elsewhere than on a terminal, one screen stands below the other."""
    words = ("status", "--watch", "0.2", "-o", "json")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("server_ready")
        reading, writing = os.pipe()
        with os.fdopen(reading) as lines:
            command = [str(MAIL_SENDER), "-m", str(brisk.sender_config), *words]
            watching = subprocess.Popen(command, stdout=writing)
            os.close(writing)
            looks = [READ.validate_json(lines.readline()) for _ in range(3)]
            watching.send_signal(signal.SIGINT)
            assert watching.wait(20) == (0 if looks[-1].healthy else 1)
    assert looks[0].at < looks[-1].at
    assert state.is_dir()


@pytest.mark.parametrize(
    ("table", "code", "said"),
    [
        ({"path": "/nonexistent/state"}, 3, "no sender runs"),
        ({"kind": "memory"}, 3, "kept in memory"),
    ],
)
def test_where_there_is_no_ledger_no_sender_runs(brisk: Stub, table: dict[str, str], code: int, said: str) -> None:
    """Or none that could be asked; either way it is said, and nothing is made."""
    configs.change(brisk.sender_config, ledger=table)
    for words in (["status"], ["healthcheck"]):
        done = ask(brisk, *words)
        assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done


def test_a_damaged_ledger_is_exit_78(brisk: Stub, state: Path) -> None:
    """It is said as every command says it."""
    state.mkdir(mode=0o700)
    (state / "ledger.db").write_bytes(b"this is no database, but long enough to look at" * 100)
    done = ask(brisk, "status")
    assert (done.returncode, "restore it, or move it away" in done.stderr) == (78, True), done
