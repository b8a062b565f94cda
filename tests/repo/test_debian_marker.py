"""The marker `debian`: nothing is left out in CI, and elsewhere only what it marks, by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo import checkout

CONFTEST = """
from pathlib import Path

pytest_plugins = ["tests.support.debian"]

def pytest_configure():
    from tests.support import debian
    debian._LIST = Path(__file__).with_name("packages.txt")
"""
TESTS = """
import pytest

@pytest.mark.debian("absent")
def test_marked_and_absent(): pass

@pytest.mark.debian("present")
def test_marked_and_present(): pass

def test_unmarked(): pass
"""


def run_pytest(folder: Path, workers: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TESTS)
    (folder / "packages.txt").write_text("# comment\nabsent: /nonexistent\npresent: /bin/s*\n")
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    env |= {"PYTHONPATH": str(checkout.ROOT), **environment}
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", "test_it.py"]
    command += ["-n", str(workers)] if workers else []
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("workers", [0, 2])
def test_in_ci_a_missing_package_fails_the_test_that_needs_it(tmp_path: Path, workers: int) -> None:
    """With CI=true the run fails, and says what was missing; so it does with workers."""
    run = run_pytest(tmp_path, workers, CI="true")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "CI must run this test, and it lacks: absent" in run.stdout
    assert "2 passed, 1 error" in run.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_elsewhere_it_is_listed_as_not_run_with_the_apt_line(tmp_path: Path, workers: int) -> None:
    """Without CI the run passes, and its end names the test, once, and the package that would make it run."""
    run = run_pytest(tmp_path, workers)
    assert run.returncode == pytest.ExitCode.OK
    assert run.stdout.count("test_it.py::test_marked_and_absent (needs absent)") == 1
    assert "apt-get install --no-install-recommends absent\n" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("2 passed")
