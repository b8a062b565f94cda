"""The checks that are no tests, beside them: `make lint`, `make types`, `make layers` and `make lock` pass."""

import os
import subprocess

import pytest

from tests.repo import checkout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", ["types", "lint", "layers", "lock"])
def test_the_check_passes(target: str) -> None:
    """What it finds is shown."""
    # Make hands its own flags down, and the job server of a `make -j` is not open to us.
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    done = subprocess.run(["make", target], cwd=checkout.ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"make {target}:\n{done.stdout}{done.stderr}"
