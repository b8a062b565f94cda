"""The scripts say in a sentence what they miss, before they touch anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.container.image import BUILD, BUILDAH, CLONE, PODMAN

PLAIN_TOOLS = ("sh", "dirname", "cut", "id", "uname", "cat", "sha256sum")


@pytest.fixture
def bare_path(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has everyday tools and neither buildah nor debootstrap."""
    for tool in PLAIN_TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / tool).symlink_to(found)
    return {"PATH": str(tmp_path)}


@pytest.mark.parametrize(("script", "package"), [(BUILD, "buildah"), (BUILDAH, "buildah"), (PODMAN, "podman")])
def test_without_a_program_its_package_is_named(script: str, package: str, bare_path: dict[str, str]) -> None:
    """A person without it learns the one command that brings it."""
    done = subprocess.run([script], env=bare_path, capture_output=True, text=True, check=False)
    needed = f"No {package} on this machine: apt-get install --no-install-recommends {package}\n"
    assert (done.returncode, done.stderr) == (69, needed)


@pytest.mark.debian("buildah")
def test_without_root_the_cure_is_named(tmp_path: Path) -> None:
    """Nobody is left with buildah's own words about namespaces: root, or an engine."""
    command = [BUILDAH, "images"]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 77
    assert "needs root" in done.stderr
    assert "docs/container.md" in done.stderr


def test_a_wheelhouse_for_no_python_is_refused() -> None:
    """A slip in the version is wrong usage, not a folder half full."""
    script = CLONE / "scripts/wheelhouse.sh"
    done = subprocess.run([script, "latest"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "wheelhouse: PYTHON is a version such as 3.13, not 'latest'.\n")
