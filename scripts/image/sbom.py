"""Writes what the image's environment holds as a CycloneDX document (1.6, JSON) to standard output.

    sbom.py PACKAGES WHEELS

PACKAGES is the folder that the packages are installed in, WHEELS one with the very files that they were installed
from, for their hashes. Nothing in it changes between two builds from the same commit: its date is SOURCE_DATE_EPOCH,
and its serial number is made from its content.
"""

import hashlib
import json
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

OURS = "mail-sender"


def main(packages: str, wheels: str) -> int:
    """Write the document to standard output."""
    installed: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions(path=[packages])}
    hashes = dict(map(_hashed, Path(wheels).rglob("*.whl")))
    when = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    json.dump(document(installed, hashes, when), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


def document(installed: Mapping[str, Distribution], hashes: Mapping[str, str], when: datetime) -> dict[str, Any]:
    """Return the document for packages by their names, with the SHA-256 of their wheels."""
    components = {name: _component(name, one, hashes) for name, one in sorted(installed.items())}
    content: dict[str, Any] = {
        "components": [component for name, component in components.items() if name != OURS],
        "dependencies": [
            {"ref": _reference(one), "dependsOn": [_reference(installed[name]) for name in _needs(one, installed)]}
            for _, one in sorted(installed.items())
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([components, content]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": components[OURS] | {"type": "application"},
        },
        **content,
    }


def _component(name: str, one: Distribution, hashes: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": _reference(one),
        "name": name,
        "version": one.version,
        "description": one.metadata["Summary"] or "",
        "purl": _reference(one),
    }
    if name in hashes:
        found["hashes"] = [{"alg": "SHA-256", "content": hashes[name]}]
    if licences := _licences(one):
        found["licenses"] = licences
    return found


def _reference(one: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(one.name)}@{one.version}"


def _licences(one: Distribution) -> Sequence[Mapping[str, Any]]:
    """Return the licence as the package states it: an SPDX expression, else its classifiers, else a short text."""
    if expression := one.metadata["License-Expression"]:
        return [{"expression": expression}]
    classifiers = one.metadata.get_all("Classifier") or []
    names = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License :: ")]
    short = (one.metadata["License"] or "").partition("\n")[0].strip()
    return [{"license": {"name": name}} for name in names or ([short] if short else [])]


def _needs(one: Distribution, installed: Mapping[str, Distribution]) -> Sequence[str]:
    """Return the installed packages that one of them asks for here."""
    wanted = (Requirement(text) for text in one.requires or [])
    counts = (each for each in wanted if not each.marker or each.marker.evaluate({"extra": ""}))
    return sorted({canonicalize_name(each.name) for each in counts} & set(installed))


def _hashed(wheel: Path) -> tuple[str, str]:
    """Return the name and the SHA-256 of a wheel."""
    return parse_wheel_filename(wheel.name)[0], hashlib.sha256(wheel.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
