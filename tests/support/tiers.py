"""Which tests stay together in one worker of pytest-xdist, and in which order they begin: the long tiers first.

A test's tier is its folder. Most files are one unit, so that what a file shares is made once. The tests of `_SINGLE`
tiers share nothing but what each worker has, and are handed out one by one, except for those of `_FILES`: these share
a ledger of 100,000 rows. Those of `_WHOLE` tiers share something that costs many seconds (the image, a Postfix, a
browser), and one worker runs them all.

The order is the tiers' own, so that no long test begins when all others have ended; without workers it is the same.
"""

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_TESTS = Path(__file__).parents[1]
_LONG_FIRST = ("container", "browser", "repo", "postfix", "faults", "stub", "acceptance", "contract", "wire")
_SINGLE = ("tests/acceptance/", "tests/faults/", "tests/postfix/test_restarts.py")
_FILES = ("tests/acceptance/test_queue_verbs.py",)
_WHOLE = ("tests/container/", "tests/postfix/", "tests/browser/")


class TierScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each worker the next unit as soon as it has nearly done the one before."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """Return the name of what a test stays together with."""
    if nodeid.startswith(_SINGLE) and not nodeid.startswith(_FILES):
        return nodeid
    return next((tier for tier in _WHOLE if nodeid.startswith(tier)), nodeid.partition("::")[0])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; `make soak` runs it, `make test` a slice of the same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {tier: number for number, tier in enumerate(_LONG_FIRST)}
    items.sort(key=lambda item: rank.get(_tier(item), len(rank)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return TierScheduling(config, log)


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""
