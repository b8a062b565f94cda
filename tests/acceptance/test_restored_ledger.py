"""A ledger that was copied while the sender ran, and put back later, by the commands of docs/backup.md."""

import os
import pwd
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.repo import blocks
from tests.support import configs
from tests.support.sender import Sender, run
from tests.support.stub import Stub

COPY, _, RESTORE = blocks.under("docs/backup.md", "sh")


def typed(script: str, state: Path) -> None:
    """Do what the page says to type, with this state folder, this Python and this user."""
    user = pwd.getpwuid(os.getuid()).pw_name
    script = script.replace("/var/lib/mail-sender", str(state)).replace("/opt/mail-sender/bin/python", sys.executable)
    script = script.replace("-o mail-sender -g mail-sender", f"-o {user}")
    subprocess.run(["bash", "-e", "-c", script], check=True, timeout=60, cwd=state)


def test_a_restored_ledger_repeats_what_was_accepted_and_is_not_marked_and_nothing_else(
    brisk: Stub, tmp_path: Path
) -> None:
    """Once more, with the same Message-ID; and not even that if the message is marked before the start."""
    state = tmp_path / "state"
    configs.change(brisk.sender_config, ledger={"path": state})
    brisk.refuse("late@example.com", 450, "4.2.0 later")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        brisk.queue([message("before@example.com"), message("late@example.com")])
        sender.wait_for("marked")
        sender.wait_for("deferred")
        typed(COPY, state)
        ids = brisk.queue([message("after@example.com"), message("ellie@example.com", "late@example.com")])
        sender.wait_for("marked", 2)
        sender.wait_for("sent", 3)
        sender.wait_for("deferred", 2)
        sender.process.kill()
    copy = (state / "backup.db").read_bytes()
    assert ((state / "backup.db").stat().st_mode & 0o777, (state / "ledger.db-wal").exists()) == (0o600, True)
    expected = dict.fromkeys(("before@example.com", "after@example.com", "ellie@example.com"), 1)
    assert mailed(brisk) == expected
    restore_and_run(brisk, state)
    assert mailed(brisk) == expected | {"ellie@example.com": 2}
    assert len({mail["Message-ID"] for mail in brisk.mails()}) == 3
    assert brisk.run("message-queue", "mark-as-sent", ids[1]).returncode == 0
    (state / "backup.db").write_bytes(copy)
    restore_and_run(brisk, state)
    assert mailed(brisk) == expected | {"ellie@example.com": 2}


def restore_and_run(stub: Stub, state: Path) -> None:
    """Put the copy in the place of the ledger, and send what the sender then takes for unsent."""
    typed(RESTORE, state)
    done = run("-c", stub.client_config, "-m", stub.sender_config, "run", "--once")
    assert done.returncode in {0, 75}, done.stderr


def mailed(stub: Stub) -> dict[str, int]:
    """Return how many mails arrived for each recipient."""
    return dict(Counter(mail["To"].addresses[0].addr_spec for mail in stub.mails()))


def message(*recipients: str) -> dict[str, object]:
    """Return an entry of the server's queue."""
    to = [{"primary": not number, "value": address} for number, address in enumerate(recipients)]
    return {"message_template": {"TestMessageV1": {"display_name": "x"}}, "mail_destination": to}
