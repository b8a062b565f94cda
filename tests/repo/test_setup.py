"""`scripts/setup.sh` on machines that lack something: one sentence that says what to do, and no .venv.

The script runs in a folder of its own, with a PATH that holds the few programs it uses and stand-ins for Python.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repo import checkout

PROGRAMS = ["cat", "cut", "dirname", "grep", "ls", "mkdir", "rm", "sed", "sh"]
BROKEN_SHIM = "#!/bin/sh\necho 'shim: python: command not found' >&2\nexit 127\n"
# Says that it is new enough, and has neither venv nor pip: Debian's python3 without python3-venv and python3-pip.
BARE_PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) echo "$0" ;;
    -V) echo Python 3.11.2 ;;
    *) echo "No module named ensurepip" >&2; exit 1 ;;
esac
"""
# Makes an environment whose pip cannot reach the package index.
OFFLINE_PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) echo "$0" ;;
    -V) echo Python 3.11.2 ;;
    "-m venv "*) mkdir -p "$3/bin" && cat "$0" >"$3/bin/python" && chmod 755 "$3/bin/python" ;;
    *) echo "ERROR: No matching distribution found for uv" >&2; exit 1 ;;
esac
"""


class Machine:
    """A clone with only what the setup reads, and a PATH with only what is put there."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "clone"
        self.path = folder / "bin"
        self.path.mkdir()
        shutil.copytree(checkout.ROOT / "scripts", self.clone / "scripts")
        for program in [*PROGRAMS, "chmod"]:
            (self.path / program).symlink_to(shutil.which(program) or program)

    def add(self, name: str, script: str) -> None:
        (self.path / name).write_text(script)
        (self.path / name).chmod(0o755)

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        script = str(self.clone / "scripts/setup.sh")
        env = {"PATH": str(self.path), "HOME": "/nonexistent", **environment}
        result = subprocess.run([script], env=env, capture_output=True, text=True, check=False, timeout=30)
        assert result.returncode == 1
        assert not os.path.lexists(self.clone / ".venv")
        return result


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_python_it_asks_for_one(machine: Machine) -> None:
    """No Python of 3.11 or newer, or only a shim that does not run: the sentence says what to install."""
    machine.add("python3", BROKEN_SHIM)
    result = machine.setup()
    assert result.stderr.startswith("setup: found no Python of 3.11 or newer; install one")
    assert result.stderr.count("\n") == 1


def test_a_python_that_was_named_and_does_not_fit_is_said(machine: Machine) -> None:
    """PYTHON= names the one interpreter to take; no other one is taken in its place."""
    machine.add("python3", BARE_PYTHON)
    machine.add("python2", BROKEN_SHIM)
    result = machine.setup(PYTHON="python2")
    assert result.stderr == "setup: PYTHON=python2 is no Python of 3.11 or newer that runs here; name another one.\n"


def test_a_shim_that_does_not_run_is_passed_over(machine: Machine) -> None:
    """The first Python that runs is taken, whatever stands before it."""
    machine.add("python3", BROKEN_SHIM)
    machine.add("python3.12", BARE_PYTHON)
    assert f"({machine.path}/python3.12)" in machine.setup().stdout


def test_without_ensurepip_and_pip_it_names_the_one_package(machine: Machine) -> None:
    """A bare Debian is told which package to install, in one line."""
    machine.add("python3", BARE_PYTHON)
    result = machine.setup()
    assert "(Debian: apt-get install python3-venv)" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_index_out_of_reach_is_said_below_the_installers_own_words(machine: Machine) -> None:
    """What pip printed is shown, then one sentence on what to do."""
    machine.add("python3", OFFLINE_PYTHON)
    words, sentence = machine.setup().stderr.splitlines()
    assert words == "    ERROR: No matching distribution found for uv"
    assert "check that this machine reaches the package index" in sentence
