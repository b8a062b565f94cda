"""Times in the words of a mail."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mail_sender.moments import clock_time, until

NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)

LENGTHS = {
    -3600: "in less than a minute",
    0: "in less than a minute",
    29: "in less than a minute",
    30: "in 1 minute",
    89: "in 1 minute",
    90: "in 2 minutes",
    55 * 60: "in 55 minutes",
    3569: "in 59 minutes",
    3599: "in 1 hour",
    3600: "in 1 hour",
    3900: "in 1 hour and 5 minutes",
    7260: "in 2 hours and 1 minute",
    86_400: "in 1 day",
    86_400 + 60: "in 1 day and 1 minute",
    86_400 + 3600 + 60: "in 1 day and 1 hour",
    3 * 86_400 + 7200: "in 3 days and 2 hours",
}


@pytest.mark.parametrize("seconds", LENGTHS)
def test_how_long_it_is_in_words(seconds: int) -> None:
    """Rounded to the minute, in at most two units, with singular and plural."""
    assert until(NOW + timedelta(seconds=seconds), NOW) == LENGTHS[seconds]


CLOCK_TIMES = {
    datetime(2026, 11, 21, 14, 5, tzinfo=UTC): "at 14:05 UTC",
    datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC): "at 23:59 UTC",
    datetime(2026, 11, 22, 0, 0, tzinfo=UTC): "tomorrow at 00:00 UTC",
    datetime(2026, 11, 23, 9, 30, tzinfo=UTC): "on 23 November 2026 at 09:30 UTC",
    datetime(2026, 12, 1, 9, 30, tzinfo=UTC): "on 1 December 2026 at 09:30 UTC",
    datetime(2026, 11, 20, 9, 30, tzinfo=UTC): "on 20 November 2026 at 09:30 UTC",
    datetime(2026, 11, 21, 23, 30, tzinfo=timezone(timedelta(hours=-5))): "tomorrow at 04:30 UTC",
}


@pytest.mark.parametrize("moment", CLOCK_TIMES)
def test_the_time_of_day_names_the_day_where_it_is_another(moment: datetime) -> None:
    """In UTC whatever zone it came in: today's time alone, tomorrow's as such, else with its date."""
    assert clock_time(moment, NOW) == CLOCK_TIMES[moment]


def test_today_is_counted_in_utc() -> None:
    """The day of `now` is its day in UTC, too."""
    here = NOW.astimezone(timezone(timedelta(hours=14)))
    assert clock_time(NOW + timedelta(hours=1), here) == "at 14:10 UTC"
