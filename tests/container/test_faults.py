"""A slice of the fault campaign inside the image: its Python, its packages, its program, and what confines a container.

The campaign comes along as a read-only mount, with the few packages of this clone that it needs beside those of the image.
Relay, API and sender are all inside, as the same user; the senders that are killed are the image's, by fork and as command.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.container.image import CLONE, CONFINED, UID, Image, said

pytestmark = [pytest.mark.debian("buildah", "debootstrap", "podman", "runc"), pytest.mark.timeout(900)]

CAMPAIGN = """
import runpy, sys
sys.path.insert(0, "/campaign")
sys.path.append("/campaign/packages")
import mail_sender
print(mail_sender.__file__, flush=True)
sys.argv[0] = "tests.faults"
runpy.run_module("tests.faults", run_name="__main__", alter_sys=True)
"""
PYTHON = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


def packages(image: Image, folder: Path) -> Path:
    """Return the packages of the campaign for the image's Python: those of this clone, if that has the same."""
    inside = image.output("/opt/mail-sender/bin/python", "-c", PYTHON).strip()
    if inside == "{}.{}".format(*sys.version_info):
        return Path(sys.prefix, f"lib/python{inside}/site-packages")
    uv = str(CLONE / "scripts/uv.sh")
    lock, target = folder / "lock", folder / "packages"
    said([uv, "export", "--quiet", "--frozen", "--no-emit-project", "--all-extras", f"--output-file={lock}"])
    said(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            f"--python-version={inside}",
            f"--target={target}",
            f"-r={lock}",
        ]
    )
    return target


@pytest.fixture
def options(image: Image, tmp_path: Path) -> list[str]:
    """What a container of the campaign gets besides its confinement: a folder to write into, and files to read."""
    cache = tmp_path / "cache"
    cache.mkdir()
    os.chown(cache, UID, 0)
    mounts = [f"{CLONE}/tests:/campaign/tests:ro", f"{packages(image, tmp_path)}:/campaign/packages:ro"]
    mounts += [f"{cache}:/campaign/.cache"]
    return [*CONFINED, "--no-healthcheck", "--env", "TMPDIR=/campaign/.cache", *(f"--volume={one}" for one in mounts)]


def campaign(image: Image, options: list[str], *arguments: str) -> None:
    printed = image.output("/opt/mail-sender/bin/python", "-c", CAMPAIGN, *arguments, options=options)
    first, *table = printed.splitlines()
    assert first.startswith("/opt/mail-sender/lib/"), printed
    _, cases, lost, *_, verdict = table[-1].split()
    assert int(cases) > 0
    assert (lost, verdict) == ("0", "good"), printed


def test_mail_survives_a_kill_and_a_failing_disk_inside_the_image(image: Image, options: list[str]) -> None:
    """Nothing of what delivery promises needs a root that can be written, a capability, or a uid that is known."""
    campaign(image, options, "--slice", "1", "--family", "F5", "--family", "F9")


def test_mail_survives_kills_of_the_images_own_command(image: Image, options: list[str]) -> None:
    """Killed at random times, and started again, until everything is through."""
    campaign(image, options, "--family", "F6", "--case", "installed 01")


@pytest.mark.soak
def test_a_slice_of_all_faults_breaks_no_promise_inside_the_image(image: Image, options: list[str]) -> None:
    """The same slice as on this machine."""
    campaign(image, options, "--slice")
