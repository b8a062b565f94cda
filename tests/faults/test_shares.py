"""A campaign in several processes is the same campaign."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.family import Case
from tests.faults.rig import Rig
from tests.faults.shares import shares_of


async def _idle(_: Rig) -> None:
    """Play nothing."""


@pytest.mark.parametrize("jobs", [1, 2, 16])
@pytest.mark.parametrize("count", [1, 7, 900])
def test_each_case_is_in_one_share_with_others_of_its_deadline(count: int, jobs: int) -> None:
    """No case is left out or played twice, and a share is played under one deadline."""
    cases = [Case(f"{number}", _idle, 10.0 if number % 3 else 2.0) for number in range(count)]
    shares = list(shares_of(cases, jobs))
    assert sorted(case.name for share in shares for case in share) == sorted(case.name for case in cases)
    assert all(len({case.seconds for case in share}) == 1 for share in shares)


_PROGRAM = """
import sys
from tests.faults import __main__
from tests.faults.family import Case, Family

async def play(rig):
    rig.mail()
    assert rig.place.connections == 16 and {holds}, "on purpose"

found = Family("F0", "two", lambda _: [Case("one", play), Case("two", play)])
__main__.families = lambda: {{"F0": found}}
sys.argv = ["faults", "--jobs", "2", "--connections", "16"]
sys.exit(__main__.main())
"""


@pytest.mark.parametrize("holds", [True, False])
def test_what_other_processes_find_is_reported_here(holds: bool) -> None:
    """The table has all cases, whichever process played them; a breach ends the command with 1, and can be repeated."""
    program = [sys.executable, "-c", _PROGRAM.format(holds=holds)]
    done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == (0 if holds else 1), done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].split()[:2] == ["all", "2"]
    assert ("F0 two seed=1 end: AssertionError: on purpose" in done.stdout) is not holds
    assert ("--connections 16 --case 'two'" in done.stdout) is not holds
