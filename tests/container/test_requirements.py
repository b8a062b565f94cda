"""The image's dependencies are those of uv.lock: requirements/ is an export of it, kept in the repository."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

CLONE = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["runtime.lock", "build.lock", "service-account.lock", "postgres.lock"])
def test_requirements_are_what_uv_exports_from_the_lock(name: str, tmp_path: Path) -> None:
    """Whoever changes uv.lock also runs scripts/requirements.sh; otherwise the image installs something else."""
    subprocess.run([CLONE / "scripts/requirements.sh", tmp_path], check=True, timeout=60)
    committed = (CLONE / "requirements" / name).read_text()
    assert committed == (tmp_path / name).read_text(), "run scripts/requirements.sh and commit requirements/"


def test_every_requirement_has_a_hash() -> None:
    """A wheel without a hash would be installed whatever it holds."""
    for lock in (CLONE / "requirements").glob("*.lock"):
        for requirement in lock.read_text().replace("\\\n", "").splitlines():
            assert "--hash=sha256:" in requirement, f"{lock.name}: {requirement}"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_every_requirement_has_a_wheel_for_each_python_on_amd64_and_arm64(minor: int, machine: str) -> None:
    """Nothing is compiled in a build: the Containerfile is the same for both, and a base with glibc 2.36 has what it needs."""
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(36, 16, -1)]
    python = (3, minor)
    fit = {*cpython_tags(python, platforms=platforms), *compatible_tags(python, f"cp3{minor}", platforms)}
    packages = tomllib.loads((CLONE / "uv.lock").read_text())["package"]
    wheels = {one["name"]: [wheel["url"].rpartition("/")[2] for wheel in one.get("wheels", [])] for one in packages}
    for lock in (CLONE / "requirements").glob("*.lock"):
        for name in re.findall(r"(?m)^([\w.-]+)==", lock.read_text()):
            assert any(parse_wheel_filename(wheel)[3] & fit for wheel in wheels[name]), f"{name}: {wheels[name]}"


def test_the_script_for_the_wheelhouse_asks_for_the_same_platforms() -> None:
    """Else an image for arm64 could not be built offline: some packages have a wheel for a glibc in between."""
    script = (CLONE / "scripts/wheelhouse.sh").read_text()
    assert "$(seq 36 -1 17)" in script
