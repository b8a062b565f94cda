"""A ledger in PostgreSQL that was dumped while a sender ran, and restored later, by the commands of docs/replicas.md."""

import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.repo import blocks
from tests.support import configs
from tests.support.postgres import Postgres
from tests.support.sender import Sender, run
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postgresql")

DUMP, RESTORE = blocks.under("docs/replicas.md", "sh")[-2:]


def test_a_restored_database_repeats_what_was_accepted_and_is_not_marked_and_nothing_else(
    brisk: Stub, postgres: Postgres, tmp_path: Path
) -> None:
    """Once more, with the same Message-ID, as from a restored file; what was in flight at the dump counts as interrupted."""
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    url = f"postgresql://mail@/mail?host={quote(str(postgres.folder), safe='')}&port={postgres.port}"
    configs.change(brisk.sender_config, ledger={"url": url, "path": tmp_path / "state"})
    brisk.refuse("late@example.com", 450, "4.2.0 later")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        brisk.queue([message("before@example.com"), message("late@example.com")])
        sender.wait_for("marked")
        sender.wait_for("deferred")
        typed(DUMP, url, tmp_path)
        brisk.queue([message("after@example.com"), message("ellie@example.com", "late@example.com")])
        sender.wait_for("marked", 2)
        sender.wait_for("sent", 3)
        sender.wait_for("deferred", 2)
        sender.process.kill()
    expected = dict.fromkeys(("before@example.com", "after@example.com", "ellie@example.com"), 1)
    assert mailed(brisk) == expected
    typed(RESTORE, url, tmp_path)
    postgres.move_clock(postgres.target("mail_sender"), timedelta(minutes=-1))  # a dump is older than leases are
    done = run("-c", brisk.client_config, "-m", brisk.sender_config, "run", "--once")
    assert done.returncode in {0, 75}, done.stderr
    assert mailed(brisk) == expected | {"ellie@example.com": 2}
    assert len({mail["Message-ID"] for mail in brisk.mails()}) == 3


def typed(script: str, url: str, folder: Path) -> None:
    """Do what the page says to type, with this database."""
    script = script.replace("postgresql://mail@db.example.com/mail", f"'{url}'")
    done = subprocess.run(
        ["bash", "-e", "-c", script], capture_output=True, text=True, check=False, timeout=60, cwd=folder
    )
    assert done.returncode == 0, done.stderr


def mailed(stub: Stub) -> dict[str, int]:
    """Return how many mails arrived for each recipient."""
    return dict(Counter(mail["To"].addresses[0].addr_spec for mail in stub.mails()))


def message(*recipients: str) -> dict[str, object]:
    """Return an entry of the server's queue."""
    to = [{"primary": not number, "value": address} for number, address in enumerate(recipients)]
    return {"message_template": {"TestMessageV1": {"display_name": "x"}}, "mail_destination": to}
