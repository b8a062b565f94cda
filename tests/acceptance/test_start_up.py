"""What a command imports before it answers: a health check runs `queue list` every few seconds, a person `--help`."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from tests.support import configs
from tests.support.config_files import Files
from tests.support.sender import Sender
from tests.support.stub import Stub

SLOW = [
    "aiosmtplib", "babel", "croniter", "css_inline", "http.server", "httpx", "jinja2", "rich", "starlette", "uvicorn",
]  # fmt: skip
NEVER_IN_A_SENDER = [
    "click", "ctypes", "h11", "http.cookiejar", "httpcore", "httpx", "multiprocessing", "mail_sender.config.reference", "mail_sender.config.schema", "mail_sender.preview", "mail_sender.templating.check", "mail_sender.wiring.once", "pygments", "rich",
    "starlette", "uvicorn",
]  # fmt: skip
ONLY_AT_ITS_START = [
    "http.client", "mail_sender.cli.app", "mail_sender.config.load", "mail_sender.config.keys", "pydantic", "pydantic_core", "typer",
    "urllib.request",
]  # fmt: skip
SLOWER_THAN_HELP = ["asyncio", "sqlite3", "structlog", "mail_sender.ledger.base", "mail_sender.preview"]
RUN = """
import json, sys
from mail_sender.__main__ import main
try:
    main()
finally:
    print(json.dumps([name for name, module in sys.modules.items() if module]), file=sys.stderr)
    models, built = [getattr(sys.modules.get("pydantic"), "BaseModel", object)], []
    while models and models != [object]:
        model = models.pop()
        models += model.__subclasses__()
        built += [model.__name__] if model.__pydantic_complete__ and model.__module__.startswith("mail_sender.") else []
    print(json.dumps(built), file=sys.stderr)
"""


def imported(*words: str | Path, code: int = 0) -> set[str]:
    """Return the modules that a command has imported at its end."""
    return ended(*words, code=code)[0]


def ended(*words: str | Path, code: int = 0) -> tuple[set[str], set[str]]:
    """Return the modules that a command has imported at its end, and which of our models pydantic has built."""
    command = [sys.executable, "-c", RUN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    modules, built = map(json.loads, done.stderr.splitlines()[-2:])
    return set(modules), set(built)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["queue", "--help"], ["template", "--help"]])
def test_help_and_version_import_nothing_that_only_a_command_needs(words: list[str]) -> None:
    """What carries a command out is imported inside it."""
    assert imported(*words) & {*SLOW, *SLOWER_THAN_HELP} == set()


def test_a_health_check_imports_no_more_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs every half minute for as long as a container lives, here where no sender answers."""
    config = tmp_path / "conf"
    config.write_text(f'[ledger]\npath = "{tmp_path / "state"}"\n')
    monkeypatch.setenv("MAIL_SENDER_CONFIG", str(config))
    assert imported("healthcheck", code=3) & {*SLOW, *ONLY_AT_ITS_START, "mail_sender.observe.status"} == set()


def test_a_list_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """Neither relay, server nor templates, also where it opens the ledger itself."""
    asyncio.run(_empty_ledger(tmp_path / "state"))
    config = tmp_path / "conf"
    config.write_text(f'[ledger]\npath = "{tmp_path / "state"}"\n')
    assert imported("-m", config, "queue", "list") & set(SLOW) == set()


def test_a_sender_imports_nothing_that_only_other_commands_need(tmp_path: Path) -> None:
    """A test mail into a folder needs the modules that a running sender needs; a table's model is part of its file's."""
    files = Files(tmp_path)
    files.load(schedule='"*/5 * * * * * *"')
    modules, built = ended(
        "-s", "-c", files.client, "-m", files.sender, "--dry-run", tmp_path / "mail", "-t", "you@example.com"
    )
    assert {"mail_sender.wiring.serve", "croniter", "httptools", "jinja2"} <= modules
    assert modules & set(NEVER_IN_A_SENDER) == set()
    assert {"ClientFile", "SenderFile"} <= built
    assert built & {"RelayTable", "OAuthTable", "Status", "RelayStatus"} == set()


def test_a_sender_that_rests_holds_nothing_that_only_its_start_needed(brisk: Stub, tmp_path: Path) -> None:
    """Its configuration was read by another process, also after a change, and its command line without typer."""
    configs.change(brisk.sender_config, ledger={"path": tmp_path / "state"})
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config, program=(sys.executable, "-c", RUN)) as sender:
        sender.wait_for("marked")
        configs.change(brisk.sender_config, retry={"message_retries": 4})
        sender.signal(signal.SIGHUP)
        sender.wait_for("config_reloaded")
        assert sender.stop() == 0
    modules = set(json.loads(sender.lines[-2]))
    assert {"mail_sender.wiring.serve", "jinja2", "css_inline", "babel"} <= modules
    assert modules & {*NEVER_IN_A_SENDER, *ONLY_AT_ITS_START} == set()


async def _empty_ledger(path: Path) -> None:
    state = state_folder.ready(LedgerConfig(path))
    assert state is not None
    await (await state_folder.open_ledger(state)).close()
