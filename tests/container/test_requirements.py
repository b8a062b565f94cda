"""The image's dependencies are those of uv.lock: requirements/ is an export of it, kept in the repository."""

import subprocess
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["runtime.lock", "build.lock"])
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
