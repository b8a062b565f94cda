"""`mail-sender ledger copy`: a sender's ledger moves to PostgreSQL, also if the copy is killed, and back."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mail_sender.cli import progress
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.toml import loads
from tests.support import configs
from tests.support.postgres import Postgres
from tests.support.samples import NOW, crowd
from tests.support.sender import MAIL_SENDER, Sender, run, run_here
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postgresql")

PEOPLE = ["ellie@example.com", "late@example.com"]


@pytest.fixture
def url(postgres: Postgres) -> str:
    """Give the url of an empty database."""
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    return f"postgresql://mail@/mail?host={quote(str(postgres.folder), safe='')}&port={postgres.port}"


def count(postgres: Postgres, table: str) -> int:
    """Return how many rows a table has."""
    return int(postgres.execute(f"SELECT count(*) FROM mail_sender.{table}")[0][0])  # noqa: S608 - a name of ours


def test_a_sender_goes_on_with_the_ledger_that_was_copied(brisk: Stub, url: str, tmp_path: Path) -> None:
    """What was sent is not sent again, what waited goes on, with the words that the copy says to write; and back."""
    state = tmp_path / "state"
    configs.change(brisk.sender_config, ledger={"path": state})
    files = "-c", brisk.client_config, "-m", brisk.sender_config
    brisk.refuse("late@example.com", 450, "4.2.0 later")
    brisk.queue([{"message_template": {"TestMessageV1": {"display_name": "E"}}, "mail_destination": to(PEOPLE)}])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("sent")
        sender.wait_for("deferred")
        refused = run_here(*files, "ledger", "copy", "configured", url)
        assert refused.returncode == 75
        assert f"mail-sender: process {sender.process.pid} on " in refused.stderr
        assert sender.stop() == 0
    done = run(*files, "ledger", "copy", "configured", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("copied: 1 message, 2 deliveries and 2 lines of history\n")
    configs.change(brisk.sender_config, ledger={**loads(done.stdout.split("\n\n")[2])["ledger"], "path": state})
    listed = run_here(*files, "doctor", "--only", "ledger").stdout
    assert "PostgreSQL at" in listed
    assert {"1 queued", "1 sent"} == set(listed.partition("deliveries: ")[2].partition("\n")[0].split(", "))
    assert run(*files, "run", "--once").returncode == 75
    assert [mail["To"].addresses[0].addr_spec for mail in brisk.mails()] == PEOPLE[:1]
    there = json.loads(run_here(*files, "ledger", "copy", "configured", tmp_path / "back", "-o", "json").stdout)
    assert there["how"] == "copied"
    assert there["configuration"] == f'[ledger]\npath = "{tmp_path / "back"}"\n'
    again = run_here(*files, "ledger", "copy", "configured", tmp_path / "back" / "ledger.db")
    assert again.stdout.startswith("was copied before: ")
    assert f"(sha256 {there['sha256']})" in again.stdout


def to(people: list[str]) -> list[dict[str, object]]:
    """Return the destinations of one message."""
    return [{"primary": not number, "value": address} for number, address in enumerate(people)]


def test_a_copy_that_is_killed_goes_on_and_ends_the_same(url: str, postgres: Postgres, tmp_path: Path) -> None:
    """It is stopped while it waits for a table, in the midst of the deliveries; nothing is written twice."""
    asyncio.run(fill(tmp_path / "ledger.db", 1_200))
    asyncio.run(make(postgres))
    with postgres.holding("LOCK TABLE mail_sender.delivery IN SHARE MODE"):
        assert stopped(postgres, url, tmp_path, signal.SIGINT) == (
            130,
            "stopped; start the same copy again: it goes on\n",
        )
        assert stopped(postgres, url, tmp_path, signal.SIGKILL) == (-signal.SIGKILL, "")
    assert (count(postgres, "message"), count(postgres, "unfinished_copy")) == (1_200, 1)
    done = run_here("ledger", "copy", tmp_path, url, "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["how"], found["written"]) == ("resumed", 1_200)
    assert found["rows"] == {"message": 1_200, "delivery": 1_200, "attempt": 0, "beginning": 0}
    postgres.execute("DROP SCHEMA mail_sender CASCADE")
    whole = json.loads(run_here("ledger", "copy", tmp_path, url, "-o", "json").stdout)
    assert (whole["how"], whole["sha256"]) == ("copied", found["sha256"])


def stopped(postgres: Postgres, url: str, folder: Path, how: signal.Signals) -> tuple[int, str]:
    """Copy until it waits for the table, and end it so; return its exit code, and what it said."""
    copying = subprocess.Popen([MAIL_SENDER, "ledger", "copy", folder, url], stderr=subprocess.PIPE, text=True)
    asyncio.run(
        postgres.until("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'delivery'")
    )
    copying.send_signal(how)
    _, said = copying.communicate()
    asyncio.run(
        postgres.until("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')")
    )
    return copying.returncode, said


async def fill(path: Path, messages: int) -> None:
    """Make a ledger of so many messages."""
    ledger = await SqliteLedger.open(path)
    await ledger.admit(crowd(messages), NOW, NOW - NOW)
    await ledger.close()


async def make(postgres: Postgres) -> None:
    """Make the tables of an empty ledger."""
    await (await PostgresLedger.open(postgres.target("mail_sender"))).close()


WRONG = {
    "://x": ("postgresql+asyncpg://mail:hunter2@db/mail", 2, "this is no ledger: expected a state folder"),
    "url": ("postgresql://mail:hunter2/x@db:5432/mail", 2, "the url cannot be read: expected postgresql://ROLE"),
    "file": ("/srv/state/other.db", 2, "other.db is not a sender's ledger, which is called ledger.db"),
    "kind": ("/srv/state", 2, "FROM and TO are both files: one of them has to be the other kind"),
    "nobody": ("postgresql://mail:hunter2@127.0.0.1:1/mail", 75, "it cannot be reached"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_ledger_that_cannot_be_meant_is_refused_and_no_password_is_shown(case: str, tmp_path: Path) -> None:
    """The words, and what to write instead; an url may hold a password, and is not quoted."""
    words, code, expected = WRONG[case]
    asyncio.run(fill(tmp_path / "ledger.db", 1))
    done = run_here("ledger", "copy", tmp_path, words)
    assert (done.returncode, done.stdout) == (code, "")
    assert expected in done.stderr
    assert "hunter2" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_on_a_terminal_a_bar_shows_how_far_it_is(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of all tables together; what is wrong with a connection over the network is said first."""
    asyncio.run(fill(tmp_path / "ledger.db", 700))
    shown: list[Any] = []
    monkeypatch.setattr(progress, "on_a_terminal", lambda: True)
    monkeypatch.setattr(progress, "progress", Bar(shown))
    assert run_here("ledger", "copy", tmp_path, url).returncode == 0
    assert shown == [(0, 1_400), (500, 1_400), (700, 1_400), (1_200, 1_400), (1_400, 1_400)]


class Bar:
    """Takes what a bar would show."""

    def __init__(self, shown: list[Any]) -> None:
        self._shown = shown

    def __call__(self, _: str) -> "Bar":
        return self

    def __enter__(self) -> Any:
        return lambda *numbers: self._shown.append(numbers)

    def __exit__(self, *_: object) -> None: ...
