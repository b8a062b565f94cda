"""Which tests stay together in one worker of pytest-xdist, and in which order they begin: the long tiers first.

A test's tier is its folder. Most files are one unit, so that what a file shares is made once. The tests of `_SINGLE`
tiers share nothing and are handed out one by one. Those of `_WHOLE` tiers share something that costs many seconds
(the image, a Postfix), and one worker runs them all. A test can say otherwise: `@pytest.mark.xdist_group("alone")`.

The order is the tiers' own, so that no long test begins when all others have ended; without workers it is the same.
"""

from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_LONG_FIRST = ("container", "repo", "postfix", "faults", "stub", "acceptance", "browser", "contract", "wire")
_SINGLE = {"acceptance", "faults"}
_WHOLE = {"container", "postfix"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; `make soak` runs it, `make test` a slice of the same")
    config.addinivalue_line("markers", "xdist_group(name): the tests of this name run in one worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {tier: number for number, tier in enumerate(_LONG_FIRST)}
    items.sort(key=lambda item: rank.get(_tier(item), len(rank)))
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""


def _group(item: pytest.Item) -> str | None:
    tier = _tier(item)
    if tier in _SINGLE or item.get_closest_marker("xdist_group"):
        return None
    return tier if tier in _WHOLE else item.path.stem
