"""The queue verbs: beside a running sender, after a kill -9, on 100,000 rows.

Where a running sender or the process itself has a part, the installed program is run; the rest runs in this process.
"""

import asyncio
import fcntl
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mail_sender.ledger import state_folder
from mail_sender.ledger.base import Outcome
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.states import State
from mail_sender.message import Message, TestMessage
from tests.support import configs
from tests.support.sender import DEADLINE, MAIL_SENDER, Sender, run_here
from tests.support.stub import Stub
from tests.support.terminal import all_of

ROWS = 100_000
HELD = 3_000
MOST_MORE_MEGABYTES = 32
NO_SENDER = "no sender runs: mail waits until one starts\n"
"""What a verb says first, on standard error, where none runs."""
NOBODY = 65534 if os.geteuid() == 0 else os.geteuid()

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def state(brisk: Stub, tmp_path: Path) -> StateFolder:
    """Give the state folder that the stub's mail-sender config names."""
    configs.change(brisk.sender_config, ledger={"path": tmp_path / "state"})
    return StateFolder(tmp_path / "state")


def queue(stub: Stub, *words: str, **rest: Any) -> Done:
    """Run a queue verb with the stub's configs; nobody is at the terminal."""
    files = ["-c", str(stub.client_config), "-m", str(stub.sender_config)]
    return subprocess.run([MAIL_SENDER, *files, "queue", *words], **{**_CAPTURED, **rest}, check=False)


def queue_of(config: Path, *words: str, env: Mapping[str, str] | None = None) -> Done:
    """Run a queue verb with one config alone, in this process."""
    return run_here("-m", config, "queue", *words, env=env)


_CAPTURED: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "capture_output": True,
    "text": True,
    "timeout": DEADLINE,
}


def listed(stub: Stub, *words: str) -> list[dict[str, Any]]:
    """Return what is listed as JSON, without the conditions."""
    done = queue(stub, "list", "-o", "json", *words)
    assert done.returncode == 0, done.stderr
    return [line for line in map(json.loads, done.stdout.splitlines()) if "condition" not in line]


def mail_to(stub: Stub, *recipients: str) -> list[str]:
    """Queue a test message to each of them, and return the ids."""
    return stub.queue(
        [
            {
                "message_template": {"TestMessageV1": {"display_name": "Ellie"}},
                "mail_destination": [{"primary": True, "value": recipient}],
            }
            for recipient in recipients
        ]
    )


# Beside a running sender


def test_the_verbs_do_what_they_say_beside_a_running_sender(brisk: Stub, state: StateFolder) -> None:
    """A refused address is mended and retried; what is sent is sent again only as a copy of its own."""
    brisk.refuse("bob@example.com")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        ellie, bob = mail_to(brisk, "ellie@example.com", "bob@example.com")
        sender.wait_for("marked")
        sender.wait_for("failed")
        assert {row["message_id"]: row["status"] for row in listed(brisk)} == {ellie: "sent", bob: "failed"}
        assert (
            listed(brisk, "--status", "failed", "--recipient", "BOB@example.com")[0]["recipient"]
            == "b***@example.com"
        )
        shown = queue(brisk, "show", bob[:8])
        assert "550 5.1.1 No such user here" in shown.stdout
        assert "Next: correct what the reply names" in shown.stdout

        (brisk.dir / "refuse.toml").unlink()
        assert queue(brisk, "retry", bob).returncode == 0
        sender.wait_for("sent", 2)
        assert queue(brisk, "retry", bob).returncode == 1

        sender.wait_for("marked", 2)
        again = queue(brisk, "resend", "-y", ellie)
        assert again.returncode == 0, again.stderr
        sender.wait_for("sent", 3)
        assert sender.stop() == 0
    first, _, copy = brisk.mails()
    assert copy["to"] == first["to"]
    assert copy["message-id"] != first["message-id"]
    assert not state.control.exists()


def test_flush_tries_what_waits_and_counts_what_became_of_it(brisk: Stub, state: StateFolder) -> None:
    """A greylisted mail goes now, and the summary says so; as JSON too."""
    brisk.refuse("ellie@example.com", 450, "4.2.0 later")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        mail_to(brisk, "ellie@example.com")
        sender.wait_for("deferred")
        done = queue(brisk, "flush")
        assert (done.returncode, done.stdout) == (75, "1 delivery: 1 refused for now, tried again later\n")
        assert "1 of 1 tried" in done.stderr
        (brisk.dir / "refuse.toml").unlink()
        *steps, end = [json.loads(line) for line in queue(brisk, "flush", "-o", "json").stdout.splitlines()]
        assert steps[-1] == {"done": 1, "total": 1}
        assert end == {"exit": 0, "message": "1 delivery: 1 sent"}
        assert queue(brisk, "flush", "--recipient", "ellie@example.com").stdout == "nothing is queued or held\n"
    assert len(brisk.mails()) == 1
    assert state.ledger.exists()


def test_flush_probes_a_relay_that_is_down_at_once_and_says_what_it_found(brisk: Stub, state: StateFolder) -> None:
    """75, why the relay is down, and how many wait for it."""
    port = brisk.ports["smtps"]
    configs.change(brisk.sender_config, mail_relay="smtps://localhost:1")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        mail_to(brisk, "ellie@example.com", "bob@example.com")
        sender.wait_for("relay_down")
        done = queue(brisk, "flush")
        assert done.returncode == 75
        assert "the relay is unusable (connect: " in done.stdout
        assert {row["status"] for row in listed(brisk)} == {"queued"}
        assert {row["attempts"] for row in listed(brisk)} == {0}
    configs.change(brisk.sender_config, mail_relay=f"smtps://localhost:{port}")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked", 2)
    assert state.ledger.exists()


def test_a_flush_on_a_terminal_shows_a_bar(brisk: Stub, state: StateFolder) -> None:
    """On standard error; what is piped stays clean."""
    brisk.refuse("ellie@example.com", 450, "4.2.0 later")
    ours, theirs = pty.openpty()
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        mail_to(brisk, "ellie@example.com")
        sender.wait_for("deferred")
        rest = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": theirs}
        done = queue(brisk, "flush", env={**os.environ, "TERM": "xterm"}, **rest)
    os.close(theirs)
    shown = all_of(ours)
    assert done.stdout == "1 delivery: 1 refused for now, tried again later\n"
    assert "1/1" in shown
    assert "\x1b" in shown
    assert state.ledger.exists()


def test_abandon_gives_up_what_waits(brisk: Stub, state: StateFolder) -> None:
    """And the sender lets it be."""
    brisk.refuse("ellie@example.com", 450, "4.2.0 later")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        (ellie,) = mail_to(brisk, "ellie@example.com")
        sender.wait_for("deferred")
        assert queue(brisk, "abandon", ellie).returncode == 0
        assert queue(brisk, "flush").stdout == "nothing is queued or held\n"
        assert "abandoned" in queue(brisk, "list").stdout
    assert brisk.mails() == []
    assert state.ledger.exists()


# Without one


def test_after_a_kill_the_verbs_work_on_the_ledger_itself(brisk: Stub, state: StateFolder) -> None:
    """The socket that was left leads nowhere, the lock is free; what the command changed happens at the next start."""
    brisk.refuse("ellie@example.com", 450, "4.2.0 later")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        (ellie,) = mail_to(brisk, "ellie@example.com")
        sender.wait_for("deferred")
        # Logged before it is written: the next answer comes after that.
        assert listed(brisk)[0]["status"] == "queued"
        sender.process.kill()
        sender.process.wait()
    assert state.control.exists()
    assert "450 4.2.0 later" in queue(brisk, "show", ellie).stdout
    done = queue(brisk, "flush")
    assert (done.returncode, "no sender runs" in done.stdout) == (75, True)
    (brisk.dir / "refuse.toml").unlink()
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
        assert listed(brisk)[0]["status"] == "sent"
    assert len(brisk.mails()) == 1


def test_resend_works_without_a_sender_which_then_sends_the_copy(brisk: Stub, state: StateFolder) -> None:
    """It asks the server itself, and refuses what the server does not have any more."""
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        (ellie,) = mail_to(brisk, "ellie@example.com")
        sender.wait_for("marked")
        assert sender.stop() == 0
    done = queue(brisk, "resend", "-y", ellie[:10])
    assert done.returncode == 0, done.stderr
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("sent")
        assert sender.stop() == 0
    assert len({mail["message-id"] for mail in brisk.mails()}) == 2
    brisk.stop()
    gone = queue(brisk, "resend", "-y", ellie)
    assert gone.returncode == 75
    assert "the identity server" in gone.stderr
    assert state.ledger.exists()


def test_resend_asks_first_and_without_a_terminal_refuses(brisk: Stub, state: StateFolder) -> None:
    """A second copy is nothing to happen by a script that lost its way."""
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        (ellie,) = mail_to(brisk, "ellie@example.com")
        sender.wait_for("marked")
        alone = queue(brisk, "resend", ellie)
        assert alone.returncode == 2
        assert "add -y" in alone.stderr
        ours, theirs = pty.openpty()
        os.write(ours, b"n\n")
        refused = queue(brisk, "resend", ellie, stdin=theirs)
        os.close(ours)
        os.close(theirs)
        assert refused.returncode == 1
        assert "second copy" in refused.stderr
        assert listed(brisk)[0]["copy"] == 0
    assert state.ledger.exists()


def test_a_second_sender_stands_by_and_takes_over(brisk: Stub, state: StateFolder) -> None:
    """Also when the first one is killed, and whoever removes the lock's file has not removed the lock."""
    with Sender(brisk.client_config, brisk.sender_config) as first:
        first.wait_for("server_ready")
        state.lock.unlink()
        with Sender(brisk.client_config, brisk.sender_config) as second:
            second.wait_for("standing_by")
            first.process.kill()
            second.wait_for("taking_over")
            mail_to(brisk, "ellie@example.com")
            second.wait_for("marked")
            assert listed(brisk)[0]["status"] == "sent"
            assert second.stop() == 0
    assert state.ledger.exists()


def test_what_a_killed_sender_had_in_flight_is_not_shown_as_in_flight(tmp_path: Path) -> None:
    """Nobody sends it. Who only looks changes nothing; any other command queues it first, as a sender does at its start."""
    state = asyncio.run(_filled(tmp_path / "state", 1))
    with sqlite3.connect(state.ledger) as db:
        db.execute("UPDATE delivery SET state = 'processing', claim = 1")
    db.close()
    config = _config(tmp_path, state)
    before = state.ledger.read_bytes()
    assert "mail-sender ended before the dot" in queue_of(config, "show", "000000").stdout
    assert "processing" in (shown := queue_of(config, "list").stdout)
    assert "mail-sender ended before the dot" in shown
    assert state.ledger.read_bytes() == before
    assert queue_of(config, "abandon", "00000001").returncode == 0


@pytest.fixture
def reachable() -> Iterator[StateFolder]:
    """Give a state folder of somebody who can reach it, other than pytest's own folders."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        state = StateFolder(Path(place) / "state")
        state.path.mkdir(mode=0o700)
        os.chown(state.path, NOBODY, NOBODY)
        yield state


def test_no_file_in_the_folder_ever_belongs_to_the_root_that_looked(brisk: Stub, reachable: StateFolder) -> None:
    """`exec` as root into a container whose sender is somebody else."""
    state = reachable
    configs.change(brisk.sender_config, ledger={"path": state.path})
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        mail_to(brisk, "ellie@example.com")
        sender.wait_for("marked")
        assert len(listed(brisk)) == 1
        assert _owners(state) == {NOBODY}
        sender.process.kill()
        sender.process.wait()
    for verb, code in ((["list"], 0), (["flush"], 0), (["retry", "--status", "held"], 1)):
        done = queue(brisk, *verb)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert _owners(state) == {NOBODY}


def _owners(state: StateFolder) -> set[int]:
    return {file.stat().st_uid for file in state.path.iterdir()}


# What goes wrong


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give the config of a ledger with one message."""
    return _config(tmp_path, asyncio.run(_filled(tmp_path / "state", 1)))


def _config(place: Path, state: StateFolder, rest: str = "") -> Path:
    file = place / "conf"
    file.write_text(f'[ledger]\npath = "{state.path}"\n{rest}')
    return file


@pytest.mark.parametrize(
    "words", [["show", "12345"], ["show", "not-an-id"], ["retry"], ["retry", "--status", "sent"]]
)
def test_a_wrong_word_is_exit_2(small: Path, words: list[str]) -> None:
    """With what was expected."""
    done = queue_of(small, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_an_id_that_nothing_has_is_exit_1(small: Path) -> None:
    """A typing error, or long forgotten."""
    done = queue_of(small, "show", "ffffffff")
    assert (done.returncode, done.stdout) == (1, "")
    assert "begins with ffffffff" in done.stderr


def test_a_broken_config_does_not_hide_the_queue(tmp_path: Path, small: Path) -> None:
    """Where the ledger is, is all that looking needs."""
    _config(tmp_path, StateFolder(tmp_path / "state"), rest='kind = 7\n[nonsense]\nmail_relay = "?"\n')
    done = queue_of(small, "list")
    assert (done.returncode, done.stderr) == (0, NO_SENDER)
    small.write_text("this is no TOML")
    done = queue_of(small, "list", env={"STATE_DIRECTORY": str(tmp_path / "state")})
    assert done.returncode == 0
    assert "the default state folder is used" in done.stderr
    done = queue_of(small, "resend", "-y", "ffffffff", env={"STATE_DIRECTORY": str(tmp_path / "state")})
    assert done.returncode == 78


def test_where_no_ledger_is_that_is_said(tmp_path: Path) -> None:
    """And none is made."""
    config = _config(tmp_path, StateFolder(tmp_path / "nowhere"))
    done = queue_of(config, "list")
    assert done.returncode == 1
    assert "no sender has worked there" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_ledger_that_somebody_holds_is_exit_75(tmp_path: Path, small: Path) -> None:
    """Under its lock by who does not answer, or by a program that knows nothing of locks."""
    with (tmp_path / "state" / "ledger.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = queue_of(small, "list")
    assert held.returncode == 75
    assert "does not answer" in held.stderr
    other = sqlite3.connect(tmp_path / "state" / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    busy = queue_of(small, "flush")
    other.close()
    assert busy.returncode == 75
    assert "another program has locked it" in busy.stderr


@pytest.mark.parametrize("verb", ["list", "flush"])
def test_a_link_in_the_state_folder_is_named_and_not_followed(tmp_path: Path, small: Path, verb: str) -> None:
    """Root may look at a folder in which somebody else puts what they like."""
    other = tmp_path / "somebody's"
    other.touch()
    for name in ("ledger.lock", "ledger.db"):
        (tmp_path / "state" / name).unlink()
        (tmp_path / "state" / name).symlink_to(other)
        done = queue_of(small, verb)
        assert (done.returncode, other.read_bytes()) == (78, b"")
        assert f"{tmp_path / 'state' / name} is a symbolic link" in done.stderr


def test_a_damaged_ledger_is_exit_78(tmp_path: Path, small: Path) -> None:
    """With what to do."""
    (tmp_path / "state" / "ledger.db").write_bytes(b"no ledger" * 100)
    done = queue_of(small, "list")
    assert done.returncode == 78
    assert "restore it, or move it away" in done.stderr


# 100,000 rows


async def _filled(path: Path, rows: int, held: int = 0) -> StateFolder:
    """Make a ledger of so many messages; so many of the oldest are held."""
    state = state_folder.ready(LedgerConfig(path))
    assert state is not None
    ledger = await state_folder.open_ledger(state)
    now = datetime.now(UTC)
    week = now + timedelta(days=7)
    content = TestMessage("Ellie")
    for start in range(0, rows, 10_000):
        numbers = range(start, min(rows, start + 10_000))
        await ledger.admit(
            [
                Message(UUID(int=(number + 1) << 96), now, week, (f"u{number}@example.com",), content)
                for number in numbers
            ],
            now,
            timedelta(days=1),
        )
    outcome = Outcome(State.HELD, now, 0, 0)
    for start in range(0, held, 250):
        ids = [UUID(int=(number + 1) << 96) for number in range(start, start + 250)]
        found = await asyncio.gather(*(ledger.deliveries(id_) for id_ in ids))
        await asyncio.gather(*(ledger.settle(delivery, outcome, now) for (delivery,) in found))
    await ledger.close()
    return state


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the config of a ledger with 100,000 messages, some of them held."""
    place = tmp_path_factory.mktemp("large")
    return _config(place, asyncio.run(_filled(place / "state", ROWS, HELD)))


def test_a_list_that_nobody_reads_to_its_end_ends_at_once_and_is_no_error(large: Path) -> None:
    """`| head` closes the pipe after ten lines."""
    command = [str(MAIL_SENDER), "-m", str(large), "queue", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        lines = [listing.stdout.readline() for _ in range(10)]
        listing.stdout.close()
        assert listing.wait(5) == 0
        assert listing.stderr.read() == NO_SENDER
    assert lines[1].startswith(f"{ROWS:08x}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_verb_that_is_stopped_ends_without_a_word(large: Path, number: signal.Signals) -> None:
    """Ctrl-C in the middle of a list is no reason for a traceback, and leaves nothing behind."""
    command = [str(MAIL_SENDER), "-m", str(large), "queue", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        assert listing.stdout is not None
        listing.stdout.readline()
        listing.send_signal(number)
        _, said = listing.communicate(timeout=DEADLINE)
    assert (listing.returncode, said) == (128 + number, NO_SENDER)
    assert {file.name for file in (large.parent / "state").iterdir()} == {"ledger.db", "ledger.lock"}


def test_standard_streams_that_are_closed_are_no_fault(small: Path) -> None:
    """Cron jobs and odd supervisors have none."""
    for streams in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        command = f'"$0" -m "$1" queue list {streams}'
        done = subprocess.run(["sh", "-c", command, MAIL_SENDER, small], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "" if "2>" in streams else NO_SENDER)


def test_output_that_cannot_be_written_is_said(small: Path) -> None:
    """A full disk behind it is not the end of a list."""
    with Path("/dev/full").open("w") as full:
        command = [str(MAIL_SENDER), "-m", str(small), "queue", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr


_READ_ALL = """
import resource, subprocess, sys
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as listing:
    ids = [line[16:52] for line in listing.stdout if line.startswith(b'{"message_id"')]
print(listing.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
print(len(ids), ids == sorted(set(ids), reverse=True))
"""


def _megabytes_for(config: Path, rows: int) -> int:
    """List so many rows, each once and newest first, and return the peak of memory."""
    words = ["-m", str(config), "queue", "list", "-o", "json", "--limit", str(0 if rows == ROWS else rows)]
    command = [sys.executable, "-c", _READ_ALL, str(MAIL_SENDER), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    code, megabytes, count, ordered = done.stdout.split()
    assert (code, count, ordered) == ("0", str(rows), "True")
    return int(megabytes)


def test_a_list_of_everything_needs_little_memory(large: Path) -> None:
    """It streams, page by page."""
    assert _megabytes_for(large, ROWS) < _megabytes_for(large, 1) + MOST_MORE_MEGABYTES


def test_a_sender_of_100000_rows_mails_on_while_they_are_listed_and_not_read(
    brisk: Stub, state: StateFolder, large: Path
) -> None:
    """Nor does what it takes up meanwhile disturb the list: each row once, newest first."""
    state_folder.ready(LedgerConfig(state.path))
    shutil.copy(StateFolder(large.parent / "state").ledger, state.ledger)
    with sqlite3.connect(state.ledger) as db:
        db.execute("UPDATE delivery SET state = 'failed'")
    db.close()
    files = ["-c", str(brisk.client_config), "-m", str(brisk.sender_config)]
    command = [str(MAIL_SENDER), *files, "queue", "list", "--limit", "0", "-o", "json"]
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("server_ready")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listing:
            assert listing.stdout is not None
            first = listing.stdout.readline()
            mail_to(brisk, *(f"new{number}@example.com" for number in range(20)))
            sender.wait_for("marked", 20)
            ids = [json.loads(line)["message_id"] for line in [first, *listing.stdout]]
        assert (listing.returncode, len(ids), len(set(ids))) == (0, ROWS, ROWS)
        assert ids == sorted(ids, reverse=True)
        assert len(listed(brisk, "--status", "sent")) == 20
        assert sender.stop() == 0


def test_many_are_shown_retried_and_given_up_as_few_are(large: Path) -> None:
    """One by its id, and thousands by their state."""
    shown = queue_of(large, "show", f"{HELD:08x}")
    assert "u***@example.com: held" in shown.stdout
    done = queue_of(large, "retry", "--status", "held")
    assert done.returncode == 0, done.stderr
    assert f"{HELD} deliveries changed" in done.stderr
    assert f"... and {HELD - 20} more" in done.stdout
    assert queue_of(large, "retry", "--status", "held").returncode == 1
    assert queue_of(large, "abandon", f"{7:08x}").returncode == 0
    condition, *entries = queue_of(large, "list", "--status", "abandoned", "-o", "json").stdout.splitlines()
    assert json.loads(condition)["condition"]["name"] == "sender"
    assert len(entries) == 1
