"""The manual pages and the scripts for shells are what the program makes today, well formed, and part of the wheel."""

import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from mail_sender.cli import app
from mail_sender.config import reference
from scripts import manual
from tests.repo import checkout, test_release

MADE = manual.made()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_is_committed_is_what_the_program_makes(path: Path) -> None:
    """A help text, an option or a key that changes takes its page along: run `make man`."""
    assert path.read_text() == MADE[path], "run `make man`, and commit what it makes"


def test_every_command_and_option_stands_in_the_manual() -> None:
    """Also those inside groups."""
    page = MADE[manual.ROOT / "docs/man/mail-sender.1"].replace("\\-", "-")
    level = [("mail-sender", get_command(app.app))]
    missing = []
    while level:
        path, command = level.pop()
        level += [(f"{path} {name}", inner) for name, inner in getattr(command, "commands", {}).items()]
        wanted = [option for one in command.params for option in one.opts if option.startswith("-")]
        missing += [f"{path} {option}" for option in wanted if option not in page and option != "--help"]
        missing += [path] if f"\n.SS {path} " not in page and path != "mail-sender" else []
    assert missing == []


def test_every_key_stands_in_the_manual_with_its_variable() -> None:
    """A key and what sets it, as `mail-sender config explain` has them."""
    page = MADE[manual.ROOT / "docs/man/mail-sender.toml.5"].replace("\\-", "-")
    wanted = [(f"\\fB{key.key} (", *key.variables) for key in reference.entries()]
    assert [texts for texts in wanted if not all(text in page for text in texts)] == []


@pytest.mark.debian("mandoc")
def test_the_pages_are_well_formed() -> None:
    """Mandoc finds nothing to warn of."""
    pages = [path for path in MADE if path.parent.name == "man"]
    checked = subprocess.run(
        ["mandoc", "-Tlint", "-W", "warning", *pages], capture_output=True, text=True, check=False
    )
    assert checked.stdout + checked.stderr == ""


def test_the_wheel_installs_all_of_them_where_shells_and_man_look() -> None:
    """The name of a file decides what it is for: the program's, with what the shell wants around it."""
    data = test_release._toml("pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert {checkout.ROOT / source for source in data} == set(MADE)
    places = {Path(place).parent.name: Path(place).name for place in data.values()}
    assert places["completions"] == "mail-sender"
    assert places["site-functions"] == "_mail-sender"
    assert places["vendor_completions.d"] == "mail-sender.fish"
    assert all(place.startswith(f"share/man/man{place[-1]}/") for place in data.values() if "/man/" in place)
    needed = [
        source for source in data if f"!{Path(source).parent}" not in (checkout.ROOT / ".dockerignore").read_text()
    ]
    assert needed == []  # the image is built from what is let through there
