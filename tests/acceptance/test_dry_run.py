"""A dry run: everything but the relay, with the installed program and a real queue."""

import stat
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.sender import Sender, run, run_here
from tests.support.stub import Stub


def mails(folder: Path) -> list[EmailMessage]:
    """Return the mails that were written."""
    return [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.iterdir())]


def without_a_relay(stub: Stub, **relay: object) -> None:
    """Take the relay, the login and the state folder out of the stub's mail-sender config."""
    nothing = dict.fromkeys(["mail_relay", "mail_username", "mail_password", "ledger"])
    configs.change(stub.sender_config, **nothing, relay=relay or None)


@pytest.mark.parametrize("by", ["flag", "config"])
def test_the_queue_is_written_down_once_and_nothing_is_sent_or_marked(brisk: Stub, tmp_path: Path, by: str) -> None:
    """Without relay, login and state folder; it says so at start, and of each mail where it went."""
    folder = tmp_path / "mails"
    without_a_relay(brisk, **({} if by == "flag" else {"kind": "folder", "path": str(folder)}))
    brisk.send_reset("ellie")
    brisk.send_test("ellie")
    with Sender(
        brisk.client_config,
        brisk.sender_config,
        "-d",
        *(["--dry-run", str(folder)] if by == "flag" else []),
        env={"STATE_DIRECTORY": str(tmp_path / "state")},
    ) as sender:
        (said,) = sender.wait_for("dry_run")
        written = sender.wait_for("written", 2)
        # Both are listed again at each poll, and nothing is made of it.
        sender.wait_for("polled", len(sender.events("polled")) + 3)
        assert sender.stop() == 0
    assert str(folder) in said
    assert "nothing is marked" in said
    assert all(str(folder) in line and "not sent" in line for line in written)
    assert len(sender.events("written")) == 2
    assert [len(sender.events(name)) for name in ("sent", "marked", "unsent", "ledger_in_memory")] == [0] * 4
    assert {str(mail["To"]) for mail in mails(folder)} == {"ellie@example.com"}
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600, 0o600]
    assert brisk.mails() == []
    assert not any("sent_at" in message for message in brisk.messages())
    assert not (tmp_path / "state").exists()


def test_the_flag_goes_over_what_the_config_says_of_the_relay(brisk: Stub, tmp_path: Path) -> None:
    """A configuration that is ready to send is tried without sending."""
    brisk.send_test("ellie")
    flags = ("--dry-run", str(tmp_path / "mails"))
    with Sender(brisk.client_config, brisk.sender_config, *flags) as sender:
        sender.wait_for("written")
        assert sender.stop() == 0
    assert len(mails(tmp_path / "mails")) == 1
    assert brisk.mails() == []


def test_a_change_of_the_configuration_writes_nothing_again(brisk: Stub, tmp_path: Path) -> None:
    """What was written once in a run is done with; what comes later is made as the files say by then."""
    folder = tmp_path / "mails"
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config, "--dry-run", str(folder)) as sender:
        sender.wait_for("written")
        configs.change(brisk.sender_config, instance_display_name="Another Name")
        sender.wait_for("dry_run", 2)
        brisk.send_test("ellie")
        sender.wait_for("written", 2)
        assert sender.stop() == 0
        assert [len(sender.events(name)) for name in ("written", "marked")] == [2, 0]
    assert sorted("Another Name" in str(mail["From"]) for mail in mails(folder)) == [False, True]


def test_a_folder_that_cannot_be_written_is_said_once_and_costs_no_mail_an_attempt(
    brisk: Stub, tmp_path: Path
) -> None:
    """While it runs, it is the relay's fault, as when one is down; when it is mended, everything is written."""
    folder = tmp_path / "mails"
    with Sender(brisk.client_config, brisk.sender_config, "-d", "--dry-run", str(folder)) as sender:
        sender.wait_for("server_ready")
        folder.touch()
        brisk.send_test("ellie")
        brisk.send_reset("ellie")
        (line,) = sender.wait_for("relay_down")
        sender.wait_for("polled", len(sender.events("polled")) + 2)
        folder.unlink()
        sender.wait_for("relay_up")
        sender.wait_for("written", 2)
        assert sender.stop() == 0
    assert str(folder) in line
    assert [len(sender.events(name)) for name in ("relay_down", "deferred", "abandoned")] == [1, 0, 0]
    assert len(mails(folder)) == 2


def test_a_test_mail_is_written_as_well(stub: Stub, tmp_path: Path) -> None:
    """`-t` makes it as ever, and looks at the server."""
    folder = tmp_path / "mails"
    files = ("-c", stub.client_config, "-m", stub.sender_config)
    done = run(*files, "-t", "bob@example.com", "--dry-run", folder)
    assert done.returncode == 0, done.stderr
    (mail,) = mails(folder)
    assert mail["To"] == "bob@example.com"
    assert "written, not sent" in done.stdout
    assert str(folder) in done.stdout
    assert "may read the queue" in done.stdout
    assert stub.mails() == []


def test_a_running_sender_does_not_turn_into_a_dry_run(stub: Stub, tmp_path: Path) -> None:
    """What was sent and what was only written would get mixed up in one ledger: the change is named, and waits."""
    configs.change(stub.sender_config, ledger={"path": tmp_path / "state"})
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("server_ready")
        configs.change(stub.sender_config, relay={"kind": "folder", "path": str(tmp_path / "mails")})
        (line,) = sender.wait_for("config_rejected")
        stub.send_test("ellie")
        sender.wait_for("marked")
        assert sender.stop() == 0
    assert "relay.kind" in line
    assert "restart" in line
    assert len(stub.mails()) == 1


@pytest.mark.parametrize("flags", [(), ("-t", "you@example.com")])
@pytest.mark.parametrize("folder", ["/dev/null", "/nowhere/mails", ""])
def test_a_folder_that_cannot_be_used_is_said_before_anything_starts(
    stub: Stub, folder: str, flags: tuple[str, ...]
) -> None:
    """Exit code 78 and a sentence about the flag, not a relay that is down."""
    done = run_here("-s", "-c", stub.client_config, "-m", stub.sender_config, *flags, "--dry-run", folder)
    assert (done.returncode, done.stdout) == (78, "")
    assert "--dry-run: " in done.stderr
    assert done.stderr.endswith("name a folder that can be written\n")


@pytest.mark.parametrize(
    ("relay", "fault"),
    [
        ({"kind": "folder", "path": "/nowhere/mails"}, "relay.path: the folder /nowhere is not there"),
        ({"kind": "folder"}, "relay.path: is missing"),
        ({"kind": "folder", "path": ""}, "relay.path: an empty text"),
        ({"kind": "pigeon"}, "expected 'smtp' or 'folder'"),
        ({"path": "/tmp/mails"}, 'set kind = "folder"'),
        ({"kind": "smtp"}, "mail_relay: is missing"),
        ({}, "mail_relay: is missing"),
    ],
)
def test_a_relay_that_is_half_told_is_a_fault(stub: Stub, relay: dict[str, object], fault: str) -> None:
    """Exit code 78, and the sentence names the key and what is wanted."""
    without_a_relay(stub, **relay)
    done = run_here("-s", "-c", stub.client_config, "-m", stub.sender_config)
    assert done.returncode == 78
    assert fault in done.stderr
