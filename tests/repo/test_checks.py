"""The checks that are no tests, beside them: `make lint`, `make types`, `make layers` and `make lock` pass."""

import pytest

from tests.repo import checkout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", ["types", "lint", "layers", "lock"])
def test_the_check_passes(target: str) -> None:
    """What it finds is shown."""
    done = checkout.make(target)
    assert done.returncode == 0, f"make {target}:\n{done.stdout}{done.stderr}"
