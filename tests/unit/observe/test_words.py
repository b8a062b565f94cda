"""Lengths of time and moments, as people say them."""

from datetime import timedelta

import pytest

from mail_sender.observe.words import ago, span
from tests.support.samples import MINUTE, NOW


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), "0 s"), (timedelta(seconds=90), "90 s"), (4 * MINUTE, "4 min"),
        (119 * MINUTE, "119 min"), (timedelta(hours=47), "47 h"), (timedelta(days=2), "2 d"),
    ],
)  # fmt: skip
def test_a_length_of_time_has_the_largest_unit_that_says_enough(length: timedelta, said: str) -> None:
    """Nobody counts hours in seconds."""
    assert span(length) == said


def test_times_are_counted_from_now() -> None:
    """Before and after it."""
    assert ago(NOW - 12 * MINUTE, NOW) == "12 min ago"
    assert ago(NOW + 4 * MINUTE, NOW) == "in 4 min"
    assert ago(NOW, NOW) == "now"
