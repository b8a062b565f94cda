"""`mail-sender run --once`, for cron and CI: one poll, a try of what is due, and an exit code that says what is left."""

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import HANG, ScriptedRelay
from tests.support.sender import DEADLINE, MAIL_SENDER, Sender, run
from tests.support.stub import Stub
from tests.support.terminal import all_of

ONCE = ("run", "--once")


def once(stub: Stub, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run once to the end."""
    return run("-c", stub.client_config, "-m", stub.sender_config, *flags, *ONCE)


def with_a_ledger(stub: Stub, folder: Path) -> Stub:
    """Give the stub's sender a state folder of this test."""
    configs.change(stub.sender_config, ledger={"path": folder / "state"})
    return stub


def queue_for(stub: Stub, *recipients: str, kind: str = "TestMessageV1") -> None:
    """Queue a message for each of these."""
    content = {"message_template": {kind: {"display_name": "x"}}}
    stub.queue([{**content, "mail_destination": [{"primary": True, "value": to}]} for to in recipients])


def fields(log: str) -> str:
    """Return the last line of a log without its time."""
    return re.sub(r"^\S+ +", "", log.splitlines()[-1])


def test_one_run_after_the_other_does_what_is_left_and_its_exit_code_says_what_is(stub: Stub, tmp_path: Path) -> None:
    """0 for nothing and for all, 75 for what waits, 1 for what was given up and for what is held."""
    with_a_ledger(stub, tmp_path)
    done = once(stub)
    assert (done.returncode, done.stdout) == (0, "")
    assert fields(done.stderr).split() == [
        "finished",
        "sent=0",
        "deferred=0",
        "failed=0",
        "waiting=0",
        "-",
        "all",
        "is",
        "done",
    ]
    queue_for(stub, "ellie@example.com", "later@example.com", "never@example.com")
    stub.refuse("later@example.com", 450, "4.2.0 later")
    done = once(stub)
    assert done.returncode == 75
    assert "sent=2 deferred=1 failed=0 waiting=1 waiting_since=20" in fields(done.stderr)
    queue_for(stub, "gone@example.com")
    stub.refuse("gone@example.com", 550, "5.1.1 no such user")
    done = once(stub)
    assert done.returncode == 1
    assert "sent=0 deferred=0 failed=1 waiting=1" in fields(done.stderr)
    assert len(stub.mails()) == 2
    assert sum("sent_at" in message for message in stub.messages()) == 2
    queue_for(stub, "ellie@example.com", kind="UnknownV1")
    done = once(stub)
    assert done.returncode == 1
    assert "1 held: correct the template" in fields(done.stderr)


def test_a_server_or_a_relay_that_is_down_is_75_and_a_running_sender_as_well(stub: Stub, tmp_path: Path) -> None:
    """Each says why; the one whose ledger is in use does nothing, and does not wait."""
    with_a_ledger(stub, tmp_path)
    right = stub.sender_config.read_text()
    stub.send_test("ellie")
    configs.change(stub.sender_config, mail_relay="smtps://localhost:1")
    done = once(stub)
    assert done.returncode == 75
    assert "relay_down" in done.stderr
    stub.sender_config.write_text(right)
    configs.change(stub.client_config, uri="https://localhost:1")
    done = once(stub)
    assert done.returncode == 75
    assert "the queue could not be polled" in fields(done.stderr)
    configs.change(stub.client_config, uri=f"https://localhost:{stub.ports['api']}")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
        done = once(stub)
        assert done.returncode == 75
        assert re.fullmatch(
            r"mail-sender: process \d+ on \S+ has the ledger in .*this run did nothing\n", done.stderr
        )
    assert sender.events("standing_by") == []
    assert once(stub).returncode == 0


def test_a_relay_that_hangs_keeps_it_until_a_signal_and_the_grace_period(
    stub: Stub, tmp_path: Path, authority: Authority
) -> None:
    """75, since the mail still waits; so it is where only the second signal ends it."""
    with_a_ledger(stub, tmp_path)
    with ScriptedRelay({"RCPT": HANG}, tls=authority.server()) as relay:
        place, table = f"smtps://localhost:{relay.port}", {"ca_path": authority.pem}
        configs.change(stub.sender_config, mail_relay=place, relay=table, worker={"stop_grace_seconds": 0.5})
        stub.send_test("ellie")
        with Sender(stub.client_config, stub.sender_config, *ONCE) as sender:
            relay.wait_for("RCPT")
            assert sender.stop() == 75
            assert sender.events("stop_forced")
        configs.change(stub.sender_config, worker={"stop_grace_seconds": 600})
        with Sender(stub.client_config, stub.sender_config, *ONCE) as sender:
            relay.wait_for("RCPT", 2)
            for _ in range(2):
                sender.signal(signal.SIGINT)
                sender.wait_for("stopping")
            assert sender.process.wait(DEADLINE) == 75


def test_on_a_terminal_a_bar_stands_below_the_log(stub: Stub, tmp_path: Path) -> None:
    """It shows how far the backlog has drained."""
    with_a_ledger(stub, tmp_path)
    queue_for(stub, *(f"u{number}@example.com" for number in range(5)))
    ours, theirs = pty.openpty()
    command: list[str | Path] = [MAIL_SENDER, "-s", "-c", stub.client_config, "-m", stub.sender_config, *ONCE]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=env, timeout=DEADLINE, check=False)
    os.close(theirs)
    shown = all_of(ours)
    assert (done.returncode, done.stdout) == (0, b"")
    assert "5/5" in shown
    assert shown.count("  sent ") == 5
    assert "sent=5 deferred=0 failed=0 waiting=0 - all is done" in shown


def test_run_alone_is_what_no_command_is(brisk: Stub) -> None:
    """It polls until a signal comes, writes a dry run's mails where --dry-run says, and sends no test mail."""
    with Sender(brisk.client_config, brisk.sender_config, "run") as sender:
        sender.wait_for("server_ready")
        brisk.send_test("ellie")
        sender.wait_for("marked")
        assert sender.stop() == 0
    refused = run("-t", "ellie@example.com", "run")
    assert refused.returncode == 2
    assert refused.stderr == "mail-sender: -t does nothing beside `run`: leave out one of the two\n"


def test_a_dry_run_once_writes_the_queue_down_and_ends(stub: Stub, tmp_path: Path) -> None:
    """Nothing is sent or marked, and nothing is left to do."""
    stub.send_test("ellie")
    done = once(stub, "--dry-run", str(tmp_path / "mails"))
    assert done.returncode == 0
    assert "written=1 deferred=0 failed=0 waiting=0" in fields(done.stderr)
    assert len([*(tmp_path / "mails").iterdir()]) == 1
    assert stub.mails() == []
