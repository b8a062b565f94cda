"""The image, built without a network: what is in it, what it says of itself, and that the same commit makes the same."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

import mail_sender
from tests.container.image import CLONE, STATE, TAG, Image, build, forget_what_was_fetched

pytestmark = [pytest.mark.debian("buildah", "debootstrap", "podman", "runc"), pytest.mark.timeout(600)]

MOST_OVER_BASE = 100_000_000
SBOM = "/opt/mail-sender/share/mail-sender.cdx.json"
SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"
INSTALLED = "from importlib.metadata import distributions as all; print(*(one.name for one in all()))"
INSTALLERS = r"find / -xdev -name pip -o -name 'pip-*' -o -name 'pip[0-9]*' -o -name ensurepip -o -name '*.whl'"
DATED = """
when=$(stat -c %Y /opt/mail-sender)
find /opt/mail-sender /var/lib/mail-sender /etc/passwd /etc/group ! -newermt @$when -newermt @$((when - 1)) -o -print
find /opt/mail-sender/lib -name '*.pyc' -o -name direct_url.json
grep -rl -e /wheels -e /src/ /opt/mail-sender/share /opt/mail-sender/pyvenv.cfg
grep -rl -e /wheels -e /src/ /opt/mail-sender/lib --include=RECORD
grep mail-sender /etc/shadow /etc/gshadow
/opt/mail-sender/bin/python -c '
from pathlib import Path
for file in Path("/opt/mail-sender/bytecode").rglob("*.pyc"):
    if file.read_bytes()[4:8] != (1).to_bytes(4, "little"): print(file, "is checked against a date or a hash")
'
true
"""
BUILT_WITH = f"command -v gcc cc make; ls -d /src /opt/build /dist 2>/dev/null; {INSTALLERS}; true"


def locked() -> dict[str, str]:
    """Return the versions of runtime.lock by name, as far as their markers ask for them here (not on Windows)."""
    lock = (CLONE / "requirements/runtime.lock").read_text()
    wanted = [Requirement(line) for line in re.findall(r"(?m)^([\w.-]+==.*) \\$", lock)]
    return {one.name: str(one.specifier)[2:] for one in wanted if not one.marker or one.marker.evaluate()}


def commit(form: str) -> str:
    """Return what git says of the commit that this clone is at."""
    command = ["git", "log", "-1", f"--format={form}"]
    return subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def sbom(image: Image) -> dict[str, Any]:
    """The document in the image that says what is in it."""
    return dict(json.loads(image.output("cat", SBOM)))


def test_it_declares_what_an_engine_needs(image: Image) -> None:
    """Entry point, user, stop signal and volume are the image's, so that nobody has to pass them."""
    declared = {key: image.declared[key] for key in ("Entrypoint", "User", "StopSignal", "Volumes")}
    assert declared == {
        "Entrypoint": ["mail-sender"],
        "User": "10001:10001",
        "StopSignal": "SIGTERM",
        "Volumes": {STATE: {}},
    }


def test_its_labels_say_which_version_of_which_commit_it_is(image: Image) -> None:
    """Whoever finds it in a registry finds its source; the names are those of the OCI image specification."""
    said = {key.removeprefix("org.opencontainers.image."): value for key, value in image.declared["Labels"].items()}
    revision, _, modified = said["revision"].partition("-")
    assert (said["version"], revision) == (mail_sender.__version__, commit("%H"))
    assert modified in {"", "modified"}
    assert said["licenses"] == "Apache-2.0"
    assert said["title"] == "mail-sender"
    assert said["description"]
    assert said["base.name"].startswith("localhost/mail-sender-base:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["created"])
    assert image.described["Created"] == said["created"]


def test_the_state_folder_is_its_users_and_that_of_the_group_0(image: Image) -> None:
    """OpenShift gives a container any uid, and gid 0; others get nothing."""
    assert image.output("stat", "-c", "%a %u:%g", STATE).strip() == "770 10001:0"


def test_only_the_locked_dependencies_are_installed(image: Image) -> None:
    """No pip, build tool, test or extra gets into the image: its packages are runtime.lock's and ours."""
    installed = image.output("/opt/mail-sender/bin/python", "-c", INSTALLED).split()
    assert {name.lower().replace("_", "-") for name in installed} == {*locked(), "mail-sender"}


def test_there_is_nothing_to_build_or_to_install_with(image: Image) -> None:
    """Whoever breaks in finds no compiler and no installer, not even the base's, and the first stage stayed behind."""
    assert image.output("sh", "-c", BUILT_WITH) == ""


def test_the_templates_are_inside_the_installed_package(image: Image) -> None:
    """Every file of templates/ is shipped in the wheel, at the place where the sender looks."""
    folder = image.output("/opt/mail-sender/bin/python", "-c", SITE_PACKAGES).strip() + "/mail_sender/templates"
    shipped = image.output("sh", "-c", f"cd {folder} && find . -type f").split()
    ours = [
        f"./{path.relative_to(CLONE / 'templates')}" for path in (CLONE / "templates").rglob("*") if path.is_file()
    ]
    assert ours
    assert sorted(shipped) == sorted(ours)


def test_its_list_of_parts_is_what_is_installed_with_the_hashes_of_the_lock(sbom: dict[str, Any]) -> None:
    """Whoever looks for a vulnerable package finds each one, and can tell that it is the published file."""
    assert {one["name"]: one["version"] for one in sbom["components"]} == locked()
    assert all(one["licenses"] for one in sbom["components"])
    lock = (CLONE / "requirements/runtime.lock").read_text()
    for one in sbom["components"]:
        (found,) = one["hashes"]
        assert f"--hash=sha256:{found['content']}" in lock, one["name"]
    ours = sbom["metadata"]["component"]
    assert (ours["name"], ours["version"]) == ("mail-sender", mail_sender.__version__)
    needs = {each["ref"]: each["dependsOn"] for each in sbom["dependencies"]}
    assert reached(ours["bom-ref"], needs) == set(needs)


def test_its_list_of_parts_is_a_valid_document(sbom: dict[str, Any]) -> None:
    """By CycloneDX's own schema, in its strict form."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(sbom)) is None


def reached(start: str, needs: dict[str, list[str]]) -> set[str]:
    """Return all that one part needs, itself included."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += needs[one]
    return found


def test_it_is_small(image: Image) -> None:
    """Less than 100 MB over its base, bytecode included."""
    base = Image(image.declared["Labels"]["org.opencontainers.image.base.name"])
    assert image.described["Size"] - base.described["Size"] < MOST_OVER_BASE


def test_nothing_in_it_tells_when_or_where_it_was_built(image: Image) -> None:
    """The commit's date is the only one, bytecode has none, and no file of pip's or of the base's notes the build's."""
    stray = image.output("sh", "-c", DATED, options=["--user", "0:0"]).splitlines()
    assert stray == []


@pytest.mark.soak
def test_a_clone_elsewhere_makes_the_same_image(image: Image, tmp_path: Path) -> None:
    """Digest and all, on the same base: whoever doubts an image can build it and compare."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", CLONE, clone], check=True)
    shutil.copytree(CLONE / "wheelhouse", clone / "wheelhouse")
    (clone / ".cache").mkdir()
    for shared in ("containers", "tools"):
        (clone / ".cache" / shared).symlink_to(CLONE / ".cache" / shared)
    build(f"{TAG}-again", clone, umask=0o077)
    again = Image(f"{TAG}-again")
    assert again.described["RootFS"] == image.described["RootFS"]
    assert again.declared["Labels"] == image.declared["Labels"], "commit first: the clone has what is committed"
    assert again.described["Digest"] == image.described["Digest"]


@pytest.mark.soak
def test_an_image_is_built_from_nothing() -> None:
    """A new Debian, all wheels fetched anew: what others have of this clone is enough."""
    forget_what_was_fetched()
    build()
    assert Image().output("mail-sender", "--version").startswith("mail-sender ")
