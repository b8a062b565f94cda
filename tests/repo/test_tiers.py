"""Which tests share a worker: what is dear is made once, and what is long does not hold up the rest."""

import pytest

from tests.repo import checkout
from tests.support import tiers


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        ("tests/container/test_image.py::test_it", "tests/container/"),
        ("tests/postfix/test_postfix_relay.py::test_it[a::b]", "tests/postfix/"),
        ("tests/browser/test_page.py::test_it", "tests/browser/"),
        ("tests/postfix/test_restarts.py::test_it", "tests/postfix/test_restarts.py::test_it"),
        ("tests/acceptance/test_dry_run.py::test_it[x]", "tests/acceptance/test_dry_run.py::test_it[x]"),
        ("tests/acceptance/test_queue_verbs.py::test_it", "tests/acceptance/test_queue_verbs.py"),
        ("tests/unit/relay/test_replies.py::test_it[a/b::c]", "tests/unit/relay/test_replies.py"),
    ],
)
def test_a_test_stays_with_its_unit(test: str, unit: str) -> None:
    """One image, one Postfix; the tests of other files by file, and what shares nothing by itself."""
    assert tiers.unit(test) == unit


def test_every_tier_that_has_a_place_in_the_order_exists() -> None:
    """A folder that was renamed would silently begin last."""
    found = {file.parts[1] for file in checkout.files() if file.parts[0] == "tests" and len(file.parts) > 2}
    assert set(tiers._LONG_FIRST) <= found
