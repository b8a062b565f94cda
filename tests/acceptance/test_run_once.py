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
    """75 where the next run goes on, 1 where somebody has to look; what was sent is marked."""
    with_a_ledger(stub, tmp_path)
    queue_for(stub, "ellie@example.com", "later@example.com", "bob@example.com")
    stub.refuse("later@example.com", 450, "4.2.0 later")
    done = once(stub)
    assert (done.returncode, done.stdout) == (75, "")
    assert "sent=2 deferred=1 failed=0 waiting=1 waiting_since=20" in fields(done.stderr)
    queue_for(stub, "gone@example.com")
    stub.refuse("gone@example.com", 550, "5.1.1 no such user")
    queue_for(stub, "ellie@example.com", kind="UnknownV1")
    done = once(stub)
    assert done.returncode == 1
    assert "sent=0 deferred=0 failed=1 waiting=1" in fields(done.stderr)
    assert "1 held: correct the template" in fields(done.stderr)
    assert len(stub.mails()) == 2
    assert sum("sent_at" in message for message in stub.messages()) == 2


def test_where_a_sender_runs_already_it_does_nothing_and_does_not_wait(stub: Stub, tmp_path: Path) -> None:
    """75, and who has the ledger."""
    with_a_ledger(stub, tmp_path)
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("server_ready")
        done = once(stub)
        assert done.returncode == 75
        assert re.fullmatch(
            r"mail-sender: process \d+ on \S+ has the ledger in .*this run did nothing\n", done.stderr
        )


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


def test_a_dry_run_once_writes_the_queue_down_and_ends(stub: Stub, tmp_path: Path) -> None:
    """Nothing is sent or marked, and nothing is left to do."""
    stub.send_test("ellie")
    done = once(stub, "--dry-run", str(tmp_path / "mails"))
    assert done.returncode == 0
    assert "written=1 deferred=0 failed=0 waiting=0" in fields(done.stderr)
    assert len([*(tmp_path / "mails").iterdir()]) == 1
    assert stub.mails() == []
