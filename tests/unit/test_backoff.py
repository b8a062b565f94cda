"""The waits: their bounds, and that the ledger knows the longest one."""

from datetime import timedelta

import pytest

from mail_sender import backoff
from mail_sender.backoff import JITTER, LONGEST_WAIT, RETRY_WAITS, Backoff, retry_wait


def test_a_backoff_doubles_from_its_first_wait_to_its_longest() -> None:
    """A wait from elsewhere is brought within the bounds, too."""
    network = Backoff(5.0, 30.0)
    assert [network.longer(), *map(network.longer, (5.0, 10.0, 20.0, 30.0))] == [5, 10, 20, 30, 30]
    assert (Backoff(60.0, 900.0).longer(5.0), network.longer(60.0)) == (60, 30)


@pytest.mark.parametrize(("rolled", "factor"), [(0.0, 1 - JITTER), (0.5, 1.0), (0.999_999, 1 + JITTER)])
def test_retry_waits_are_those_of_the_table_spread_by_the_dice(rolled: float, factor: float) -> None:
    """By a fifth either way; beyond the table its last wait repeats."""
    for attempts, wait in enumerate([*RETRY_WAITS, RETRY_WAITS[-1]]):
        found = retry_wait(attempts, lambda: rolled).total_seconds()
        assert found == pytest.approx(wait.total_seconds() * factor, rel=1e-3)


def test_the_ledger_knows_the_longest_wait() -> None:
    """A delivery that waits for longer would be due at once: a longer wait that is added must raise the bound, too."""
    waits = [
        value for name, value in vars(backoff).items() if isinstance(value, timedelta) and name != "LONGEST_WAIT"
    ]
    assert len(waits) > 5
    assert max(*waits, retry_wait(len(RETRY_WAITS), lambda: 0.999_999)) < LONGEST_WAIT
