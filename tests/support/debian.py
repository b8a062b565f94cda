"""Tests that need Debian packages: `@pytest.mark.debian("postfix", "sasl2-bin", root=True)`.

With CI=true such a test fails where a package (or root, if it asks for it) is missing, so that CI never passes by
leaving something out. Anywhere else it is deselected, and the end of the run lists it as not run, with what would
make it run. The packages and the paths that prove them stand in tests/debian-packages.txt, once for this and for
scripts/debian-packages.sh.
"""

import os
from pathlib import Path

import pytest

_LIST = Path(__file__).parents[1] / "debian-packages.txt"
_NOT_RUN = pytest.StashKey[dict[str, list[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_NOT_RUN] = {}
    config.addinivalue_line(
        "markers",
        "debian(*packages, root=False): needs these Debian packages; fails in CI without them, else is not run",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _in_ci():
        return
    lacking = {item: lacks for item in items if (lacks := _lacks(item))}
    for item, lacks in lacking.items():
        for lack in lacks:
            config.stash[_NOT_RUN].setdefault(lack, []).append(item.nodeid)
    if lacking:
        config.hook.pytest_deselected(items=list(lacking))
        items[:] = [item for item in items if item not in lacking]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if lacks := _lacks(item):
        pytest.fail(f"CI must run this test, and it lacks: {', '.join(sorted(lacks))}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    not_run = config.stash[_NOT_RUN]
    if not not_run:
        return
    terminalreporter.section("not run")
    for nodeid in sorted({nodeid for nodeids in not_run.values() for nodeid in nodeids}):
        lacks = sorted(lack for lack, nodeids in not_run.items() if nodeid in nodeids)
        terminalreporter.write_line(f"{nodeid} (needs {', '.join(lacks)})")
    if packages := sorted(not_run.keys() - {"root"}):
        terminalreporter.write_line(f"To run them: apt-get install --no-install-recommends {' '.join(packages)}")
    if "root" in not_run:
        terminalreporter.write_line("Those that need root run when pytest runs as root.")


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"


def _lacks(item: pytest.Item) -> set[str]:
    """Names the packages, and `root`, that a test asks for and that are not there."""
    marks = list(item.iter_markers("debian"))
    proofs = _proofs()
    lacks = {
        package for mark in marks for package in mark.args if not any(Path("/").glob(proofs[package].lstrip("/")))
    }
    if os.geteuid() != 0 and any(mark.kwargs.get("root") for mark in marks):
        lacks.add("root")
    return lacks


def _proofs() -> dict[str, str]:
    lines = (line for line in _LIST.read_text().splitlines() if not line.startswith("#"))
    return {package: proof.strip() for package, _, proof in (line.partition(":") for line in lines)}
