"""What has to agree for a release: the lock with pyproject.toml, the changelog with the version."""

import re
import tomllib
from itertools import chain
from typing import Any

from packaging.requirements import Requirement

import mail_sender
from tests.repo import checkout

HEADING = re.compile(r"^## (?:(Unreleased)|(\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2})$", re.MULTILINE)


def test_the_lock_was_made_from_the_dependencies_in_pyproject() -> None:
    """Every dependency stands in uv.lock with the same limits (`make lock` checks the rest)."""
    project = _toml("pyproject.toml")["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    ours = next(each for each in _toml("uv.lock")["package"] if each["name"] == project["name"])
    locked = [f"{each['name']}{each['specifier']}" for each in ours["metadata"]["requires-dist"]]
    assert _limits(declared) == _limits(locked)


def test_the_changelog_begins_with_what_is_not_released_or_with_this_version() -> None:
    """Its sections are `## Unreleased` and `## 1.2.3 - 2026-01-31`, newest first, each with at least one point."""
    text = (checkout.ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## .*$", text, re.MULTILINE) == [match[0] for match in HEADING.finditer(text)]
    top = HEADING.search(text)
    assert top
    assert top[2] in {None, mail_sender.__version__}
    assert all("\n- " in section for section in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:])


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((checkout.ROOT / name).read_text())


def _limits(requirements: list[str]) -> dict[str, str]:
    return {each.name: str(each.specifier) for each in map(Requirement, requirements)}
