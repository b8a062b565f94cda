"""`make audit`: the licences of what the image installs, and what is known against any package of the lock.

1. The licence of each package of the image is the one that the SBOM gives (scripts/image/sbom.py). Each has to be in
   `ALLOWED`: what is unknown, or would bind whoever runs or changes mail-sender, fails.
2. pip-audit asks the package index's database of advisories for every package of uv.lock, those for development, too.

Exit codes: 0 nothing was found; 1 a licence or an advisory; 75 the database did not answer for every package, so
that nothing is known about advisories.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.image import sbom  # noqa: E402 - this file is started as a program

FAILED, NOT_ASKED = 1, 75

ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Unlicense", "Zlib"),
    "MPL-2.0",
    "LGPL-3.0-only",
}
"""By SPDX. Permissive ones, and those that bind only changed files of the package itself: MPL-2.0 (certifi), and
LGPL-3.0 (psycopg, of the extra postgres), which leaves free what imports the package, as long as it can be replaced.
"""

SPDX = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""What older packages say instead."""


def main() -> int:
    """Print what was found, and return the exit code."""
    components = runtime_components()
    for one in components:
        print(f"{one['name']:<20} {one['version']:<12} {licence(one) or 'unknown'}")
    refused = [
        f"{one['name']} ({licence(one) or 'no licence is stated'})" for one in components if not is_allowed(one)
    ]
    if refused:
        print(f"audit: not in ALLOWED of scripts/audit.py: {', '.join(refused)}", file=sys.stderr)
    lines, code = verdict(advisories())
    print("\n".join(lines), file=sys.stderr if code else sys.stdout)
    return FAILED if refused else code


def runtime_components() -> Sequence[Mapping[str, Any]]:
    """Return what the SBOM says of each package that an image may install, from this clone's environment.

    Raises `KeyError` if one is not installed here.
    """
    found: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions()}
    document = sbom.document({name: found[name] for name in {sbom.OURS, *of_the_image()}}, {}, datetime.now(UTC))
    components: Sequence[Mapping[str, Any]] = document["components"]
    return components


def of_the_image() -> Iterator[str]:
    """Yield the names in the locks of the image and its extras, as far as they are for this machine."""
    for lock in (ROOT / "requirements").glob("*.lock"):
        for line in re.findall(r"(?m)^(\w[^\\\n]*)", lock.read_text() if lock.stem != "build" else ""):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate():
                yield canonicalize_name(requirement.name)


def licence(component: Mapping[str, Any]) -> str:
    """Return a component's licence as an SPDX expression where it can be told; empty if none is stated."""
    stated = component.get("licenses", ())
    names = [one.get("expression") or one["license"]["name"] for one in stated]
    return " AND ".join(SPDX.get(name, name) for name in names if name not in {"OSI Approved", "DFSG approved"})


def is_allowed(component: Mapping[str, Any]) -> bool:
    """Say whether one of a component's alternatives (`OR`) has nothing but allowed licences (`AND`)."""
    alternatives = re.sub(r"[()]", "", licence(component)).split(" OR ")
    return any(all(name.strip() in ALLOWED for name in one.split(" AND ")) for one in alternatives)


def advisories() -> str:
    """Return pip-audit's report, JSON, of the whole lock; empty if it could make none."""
    lock = ROOT / ".cache/audit.lock"
    lock.write_text(
        _uv("export", "--no-emit-project", "--no-annotate", "--no-header", "--all-groups", "--all-extras")
    )
    audit = ["run", "--only-group", "audit", "--isolated", "pip-audit", "--disable-pip", "--require-hashes"]
    return _uv(*audit, "--progress-spinner", "off", "--format", "json", "-r", str(lock))


def _uv(command: str, *arguments: str) -> str:
    """Return what uv, or what it runs, prints; what went wrong is shown if it prints nothing."""
    program = [str(ROOT / "scripts/uv.sh"), command, "--quiet", "--frozen", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if not done.stdout:
        print(done.stderr, file=sys.stderr)
    return done.stdout


def verdict(report: str) -> tuple[Sequence[str], int]:
    """Return what to print of pip-audit's report, and the exit code.

    pip-audit itself ends with 0 if its database knows nothing of a package, or cannot be asked about it.
    """
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    skipped = [one for one in packages if "skip_reason" in one]
    found = [
        f"audit: {one['name']} {one['version']}: {each['id']}, fixed in {each['fix_versions'] or 'no version'}"
        for one in packages
        for each in one.get("vulns", ())
    ]
    if found:
        return found, FAILED
    if skipped or not packages:
        answered = f"{len(packages) - len(skipped)} of {len(packages) or 'the'} packages"
        return [
            f"audit: NOT ASKED for advisories: the database answered for {answered}, so nothing is known",
            "audit: run this where the package index's own API can be reached",
        ], NOT_ASKED
    return [f"audit: no advisory is known for any of {len(packages)} packages"], 0


if __name__ == "__main__":
    sys.exit(main())
