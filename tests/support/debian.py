"""Tests that need Debian packages: `@pytest.mark.debian("postfix", "sasl2-bin", root=True)`.

With CI=true such a test fails where a package (or root, if it asks for it) is missing, so that CI never passes by
leaving something out. Anywhere else it is deselected, and the end of the run lists it as not run, with what would
make it run. The packages and the paths that prove them stand in tests/debian-packages.txt, once for this and for
scripts/debian-packages.sh.

Under pytest-xdist each worker collects, and the controller, which prints the list, does not: a worker hands its list
over when it ends.
"""

import os
from pathlib import Path
from typing import Any

import pytest

_LIST = Path(__file__).parents[1] / "debian-packages.txt"
_NOT_RUN = pytest.StashKey[dict[str, list[str]]]()
"""What each test lacks, by its node id."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_NOT_RUN] = {}
    config.addinivalue_line(
        "markers",
        "debian(*packages, root=False): needs these Debian packages; fails in CI without them, else is not run",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _in_ci():
        return
    lacking = {item: sorted(lacks) for item in items if (lacks := _lacks(item))}
    config.stash[_NOT_RUN] = {item.nodeid: lacks for item, lacks in lacking.items()}
    if lacking:
        config.hook.pytest_deselected(items=list(lacking))
        items[:] = [item for item in items if item not in lacking]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash[_NOT_RUN]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's list; all workers have the same, and one that crashed has none."""
    not_run = node.config.stash[_NOT_RUN]
    if not not_run and (of_worker := getattr(node, "workeroutput", {}).get("not_run")):
        not_run.update(of_worker)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if lacks := _lacks(item):
        pytest.fail(f"CI must run this test, and it lacks: {', '.join(sorted(lacks))}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    not_run = config.stash[_NOT_RUN]
    if not not_run:
        return
    terminalreporter.section("not run")
    for nodeid, lacks in sorted(not_run.items()):
        terminalreporter.write_line(f"{nodeid} (needs {', '.join(lacks)})")
    lacking = {lack for lacks in not_run.values() for lack in lacks}
    if packages := sorted(lacking - {"root"}):
        terminalreporter.write_line(f"To run them: apt-get install --no-install-recommends {' '.join(packages)}")
    if "root" in lacking:
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
