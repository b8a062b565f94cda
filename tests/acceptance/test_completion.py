"""A shell completes commands, options and values: it asks the program, by the script that the program printed."""

import os
import subprocess
from pathlib import Path

import pytest

from mail_sender.cli.completion import SHELLS
from mail_sender.ledger.states import State
from tests.support.sender import MAIL_SENDER, run_here


def words(line: str) -> set[str]:
    """Return what bash would be offered at the end of a line."""
    typed = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(typed) - 1), "_MAIL_SENDER_COMPLETE": "complete_bash"}
    done = run_here(env=asked)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mail-sender he", {"healthcheck"}),
        ("mail-sender queue r", {"resend", "retry"}),
        ("mail-sender queue list --rec", {"--recipient"}),
        ("mail-sender queue list --status ", set(State)),
        ("mail-sender doctor --only c", {"clock", "configuration"}),
        ("mail-sender config explain mail_from", {"mail_from_address"}),
        ("mail-sender init --preset se", {"ses", "sendgrid"}),
        ("mail-sender status -o ", {"json", "text"}),
        ("mail-sender completion ", set(SHELLS)),
        ("mail-sender -c ", set()),  # the shell completes files by itself
    ],
)
def test_what_may_follow_is_offered(line: str, offered: set[str]) -> None:
    """Commands, options and values, as the program has them."""
    assert words(line) == offered


SHELL = {
    "bash": 'source {script}; COMP_WORDS=(mail-sender queue li); COMP_CWORD=2; {function} mail-sender; echo "${{COMPREPLY[@]}}"',
    # zsh loads the file for the first word that is completed; what completes is its own, and stands in here.
    "zsh": 'fpath=({folder}); autoload -Uz _mail-sender; _arguments() {{ echo "$@" }}; '
    "words=(mail-sender queue li); CURRENT=3; _mail-sender",
    "fish": 'source {script}; complete -C "mail-sender queue li"',
}


@pytest.mark.parametrize(
    "shell", ["bash", *(pytest.param(name, marks=pytest.mark.debian(name)) for name in ("zsh", "fish"))]
)
def test_each_shell_asks_the_program_by_its_script(tmp_path: Path, shell: str) -> None:
    """The script that is printed works in the shell that it is for, at the first word."""
    printed = run_here("completion", shell)
    assert printed.returncode == 0
    script = tmp_path / "_mail-sender"
    script.write_text(printed.stdout)
    text = SHELL[shell].format(script=script, folder=tmp_path, function="_mail_sender_completion")
    path = f"{MAIL_SENDER.parent}:{os.environ['PATH']}"
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([shell, *flags, "-c", text], capture_output=True, text=True, env={"PATH": path, "HOME": str(tmp_path)}, check=False)  # fmt: skip
    assert done.stderr == ""
    assert "list" in done.stdout
    assert "queue" not in done.stdout


def test_a_shell_that_is_not_known_is_said() -> None:
    """With those that are."""
    done = run_here("completion", "tcsh")
    assert done.returncode == 2
    assert "bash, zsh or fish" in done.stderr
