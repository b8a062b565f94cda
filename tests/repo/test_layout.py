"""The shape of the repository: few things at the top, names that say something, no trace of a machine."""

import re
from pathlib import Path

from tests.repo import checkout

TOP_LEVEL = {
    ".ci",
    ".github",
    ".dockerignore",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Containerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "docs",
    "examples",
    "mail_sender",
    "mkdocs.yml",
    "pyproject.toml",
    "requirements",
    "scripts",
    "server_stub",
    "templates",
    "tests",
    "uv.lock",
}
LEFTOVERS = {"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib"}
MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:work|root|home|Users)/[\w.]+")


def test_the_top_level_holds_only_what_is_listed_here() -> None:
    """A new file at the top is a decision, made in this list."""
    assert {file.parts[0] for file in checkout.files()} <= TOP_LEVEL


def test_no_folder_or_module_is_for_leftovers() -> None:
    """What a file holds has a name; utils, common and helpers are none."""
    named = [file for file in checkout.files() if LEFTOVERS & {*file.parts[:-1], file.stem}]
    assert named == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    """A path into a home or a workspace works on one machine only, and gives away whose it is."""
    found = {
        str(file): MACHINE_PATH.findall((checkout.ROOT / file).read_text(errors="ignore"))
        for file in checkout.files()
    }
    assert {file: paths for file, paths in found.items() if paths} == {}


def test_a_secret_has_one_type() -> None:
    """Pydantic's own can be pickled, and shows its text to a debugger (`vars`)."""
    found = [file for file in checkout.modules() if "SecretStr" in (checkout.ROOT / file).read_text()]
    assert found == [Path("tests/repo/test_layout.py")]


def test_both_command_lines_explain_a_usage_error_with_the_same_code() -> None:
    """The stub imports nothing from mail-sender, so the file stands in both: a change of one is a change of the other."""
    files = [checkout.ROOT / package / "cli/usage.py" for package in ("mail_sender", "server_stub")]
    assert files[0].read_text() == files[1].read_text()
