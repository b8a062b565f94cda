"""The workflows of GitHub: what they run is `make`, what they may do is little, and what they use cannot change under them."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repo import checkout

FOLDER = checkout.ROOT / ".github/workflows"
MAY_WRITE = {
    "release.yml:pypi": {"id-token", "attestations"},
    "release.yml:registry": {"packages", "id-token", "attestations"},
}
"""The jobs that may do more than read, and what."""


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each job of each workflow, by file and name."""
    for file in sorted(FOLDER.glob("*.yml")):
        for name, job in yaml.safe_load(file.read_text())["jobs"].items():
            yield f"{file.name}:{name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step, by the name of its job."""
    for name, job in jobs():
        yield from ((name, step) for step in job.get("steps", ()))


def test_every_action_is_named_by_its_commit_and_says_which_version_that_is() -> None:
    """A tag can be moved to other code; a commit cannot."""
    uses = [
        line
        for file in FOLDER.glob("*.yml")
        for line in file.read_text().splitlines()
        if re.search(r"\buses: ", line)
    ]
    pinned = re.compile(
        r"\s*(?:- )?uses: (?:[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml)"
    )
    assert len(uses) > 8
    assert [line for line in uses if not pinned.fullmatch(line)] == []


def test_a_workflow_may_read_and_a_job_that_may_write_stands_in_the_list() -> None:
    """Whoever breaks into a step that builds or tests finds nothing to publish with."""
    for file in FOLDER.glob("*.yml"):
        assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}, file.name
    writing = {
        name: {what for what, how in job["permissions"].items() if how == "write"}
        for name, job in jobs()
        if "permissions" in job
    }
    assert writing == MAY_WRITE
    assert all(job["environment"] for name, job in jobs() if name in MAY_WRITE)
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def test_every_command_is_a_target_of_make() -> None:
    """What CI does, a developer can do; only the login at the registry is GitHub's own."""
    targets = re.findall(r"(?m)^([a-z-]+):", (checkout.ROOT / "Makefile").read_text())
    run = [(name, step["run"]) for name, step in steps() if "run" in step]
    others = [(name, line) for name, line in run if line.split()[:2] not in [["make", target] for target in targets]]
    assert [(name, line.partition("|")[2].split()[:2]) for name, line in others] == [
        ("release.yml:registry", ["buildah", "login"])
    ]
    assert {"make test", "make audit", "make image", "make workflows"} <= {line for _, line in run}


def test_each_python_that_the_package_names_is_tested_and_each_architecture_built() -> None:
    """The classifiers promise what is tested."""
    by_name = dict(jobs())
    project = tomllib.loads((checkout.ROOT / "pyproject.toml").read_text())["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert by_name["test.yml:test"]["strategy"]["matrix"]["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"
    assert len(by_name["image.yml:image"]["strategy"]["matrix"]["include"]) == 2


@pytest.mark.parametrize(("tag", "said"), [("v9.9.9", "the tag is v9.9.9, and"), ("1.0", "the tag is 1.0, and")])
def test_a_release_that_does_not_fit_is_refused(tag: str, said: str) -> None:
    """Before anything is built."""
    done = subprocess.run([checkout.ROOT / "scripts/dist.sh", tag], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_archives_become_one_image_with_the_tags_of_the_release(tmp_path: Path) -> None:
    """As it asks buildah for; its digest is the last line, and what the attestation is about."""
    clone = tmp_path / "clone"
    (clone / "dist").mkdir(parents=True)
    for name in ("amd64", "arm64"):
        (clone / f"dist/mail-sender-{name}.oci.tar").touch()
    (clone / "scripts").mkdir()
    script = clone / "scripts/publish-image.sh"
    script.write_text((checkout.ROOT / "scripts/publish-image.sh").read_text())
    script.chmod(0o755)
    buildah = tmp_path / "buildah"
    buildah.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n[ "$2" != push ] || printf sha256:1234 >"$5"\n')
    buildah.chmod(0o755)
    env = {**os.environ, "BUILDAH": str(buildah), "GITHUB_OUTPUT": str(tmp_path / "output")}
    for tag, code in (("v1.2.3", 0), ("1.2", 2)):
        done = subprocess.run(
            [script, tag, "registry.example/m/s"], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
    asked = (tmp_path / "asked").read_text().splitlines()
    added = [line.split()[-1] for line in asked if line.startswith("manifest add")]
    assert added == ["oci-archive:dist/mail-sender-amd64.oci.tar", "oci-archive:dist/mail-sender-arm64.oci.tar"]
    pushed = [line.rpartition(":")[2] for line in asked if line.startswith("manifest push --all")]
    assert pushed == ["1.2.3", "1.2", "1", "latest"]
    assert (tmp_path / "output").read_text() == "digest=sha256:1234\n"
