"""The schedule means what Kanidm's does (the Rust crate `cron` 0.17): a golden table, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mail_sender.sender.schedule import ALIASES, BadSchedule, Schedule

# 21 November 2026 is a Saturday.
FROM = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def next_ticks(expression: str, after: datetime = FROM, count: int = 2) -> list[str]:
    """Return the first ticks, as far as there are any, in ISO form without the zone."""
    schedule = Schedule(expression)
    ticks: list[str] = []
    time: datetime | None = after
    while len(ticks) < count and time is not None and (time := schedule.next_after(time)) is not None:
        ticks.append(time.strftime("%Y-%m-%d %H:%M:%S"))
    return ticks


GOLDEN = {
    # Seconds come first, with six fields and with seven.
    "*/5 * * * * * *": ["2026-11-21 12:00:05", "2026-11-21 12:00:10"],
    "*/5 * * * * *": ["2026-11-21 12:00:05", "2026-11-21 12:00:10"],
    "0 */5 * * * *": ["2026-11-21 12:05:00", "2026-11-21 12:10:00"],
    "0 0 0 * * *": ["2026-11-22 00:00:00", "2026-11-23 00:00:00"],
    # The seventh field is the year.
    "0 0 0 1 1 * 2028,2030": ["2028-01-01 00:00:00", "2030-01-01 00:00:00"],
    "0 0 0 1 1 * 2027-2028": ["2027-01-01 00:00:00", "2028-01-01 00:00:00"],
    "0 0 0 1 1 * */10": ["2030-01-01 00:00:00", "2040-01-01 00:00:00"],
    "0 0 0 1 1 * 2030/5": ["2030-01-01 00:00:00", "2035-01-01 00:00:00"],
    "0 0 0 1 1 * 2028-2100": ["2028-01-01 00:00:00", "2029-01-01 00:00:00"],
    # Sunday is 1, Saturday is 7.
    "0 0 0 * * 1 *": ["2026-11-22 00:00:00", "2026-11-29 00:00:00"],
    "0 0 0 * * 7 *": ["2026-11-28 00:00:00", "2026-12-05 00:00:00"],
    "0 0 0 * * 2-6 *": ["2026-11-23 00:00:00", "2026-11-24 00:00:00"],
    "0 0 0 * * 1,7 *": ["2026-11-22 00:00:00", "2026-11-28 00:00:00"],
    "0 0 0 * * 1/3 *": ["2026-11-22 00:00:00", "2026-11-25 00:00:00"],
    "0 0 0 * * */6 *": ["2026-11-22 00:00:00", "2026-11-28 00:00:00"],
    # Names: short (Mon), whole (Monday), and the two that Kanidm knows besides; in any case.
    "0 0 0 * * MON *": ["2026-11-23 00:00:00", "2026-11-30 00:00:00"],
    "0 0 0 * * Monday *": ["2026-11-23 00:00:00", "2026-11-30 00:00:00"],
    "0 0 0 * * sun,wednesday *": ["2026-11-22 00:00:00", "2026-11-25 00:00:00"],
    "0 0 0 * * Mon-Fri *": ["2026-11-23 00:00:00", "2026-11-24 00:00:00"],
    "0 0 0 * * Tues-Thurs *": ["2026-11-24 00:00:00", "2026-11-25 00:00:00"],
    "0 0 0 1 JAN * *": ["2027-01-01 00:00:00", "2028-01-01 00:00:00"],
    "0 0 0 1 feb-april/2 * *": ["2027-02-01 00:00:00", "2027-04-01 00:00:00"],
    # A day must fit day-of-month and day-of-week.
    "0 0 0 13 * 6 *": ["2027-08-13 00:00:00", "2028-10-13 00:00:00"],
    "0 0 0 29 2 1 *": ["2032-02-29 00:00:00", "2060-02-29 00:00:00"],
    # Lists, ranges and steps, and their mixture.
    "0,20,40 * * * * *": ["2026-11-21 12:00:20", "2026-11-21 12:00:40"],
    "10-20/5 * * * * *": ["2026-11-21 12:00:10", "2026-11-21 12:00:15"],
    "5/50 * * * * *": ["2026-11-21 12:00:05", "2026-11-21 12:00:55"],
    "59/15 * * * * *": ["2026-11-21 12:00:59", "2026-11-21 12:01:59"],
    "0-5,58 0 * * * *": ["2026-11-21 12:00:01", "2026-11-21 12:00:02"],
    "0 0 0 31 * *": ["2026-12-31 00:00:00", "2027-01-31 00:00:00"],
    "0 0 0 ? * ? *": ["2026-11-22 00:00:00", "2026-11-23 00:00:00"],
    "  0   0 0\t* * *  ": ["2026-11-22 00:00:00", "2026-11-23 00:00:00"],
    # Aliases.
    "@hourly": ["2026-11-21 13:00:00", "2026-11-21 14:00:00"],
    "@daily": ["2026-11-22 00:00:00", "2026-11-23 00:00:00"],
    "@weekly": ["2026-11-22 00:00:00", "2026-11-29 00:00:00"],
    "@monthly": ["2026-12-01 00:00:00", "2027-01-01 00:00:00"],
    "@yearly": ["2027-01-01 00:00:00", "2028-01-01 00:00:00"],
}


@pytest.mark.parametrize("expression", GOLDEN)
def test_an_expression_ticks_when_kanidms_does(expression: str) -> None:
    """The golden table: each expression's next ticks are those of Kanidm's crate."""
    assert next_ticks(expression) == GOLDEN[expression]


REFUSED = {
    "": "0 fields", "*": "1 field,", "*/5 * * * *": "5 fields", "* * * * * * * *": "8 fields",
    "@reboot": "1 field,", "0 0 0 * * 0 *": "day of week 0", "0 0 0 * * 8 *": "day of week 8",
    "60 * * * * *": "second 60", "0 0 0 32 * *": "day of month 32", "0 0 0 1 13 *": "month 13",
    "0 0 0 1 1 * 1969": "year 1969", "0 0 0 1 1 * 2101": "year 2101", "22-2 * * * * *": "backwards",
    "0 0 0 * * FRI-SUN *": "backwards", "*/0 * * * * *": "step", "*/61 * * * * *": "step", "-5 * * * * *": "second",
    "1,,2 * * * * *": "second", "1.5 * * * * *": "second", "10-12/* * * * * *": "second", "MON * * * * *": "second",
    "0 0 0 L * *": "day of month", "0 0 0 * * 6L *": "day of week", "0 0 0 * * 6#3 *": "day of week",
    "R(0-30) * * * * *": "second", "H * * * * *": "second", "0 0 0 * * MOON *": "day of week",
    "0 0 0 1 Sept * *": "month",
}  # fmt: skip


@pytest.mark.parametrize("expression", REFUSED)
def test_what_kanidm_cannot_read_is_refused_by_its_field(expression: str) -> None:
    """Another number of fields, values out of range, and croniter's own extras are errors that name the field."""
    with pytest.raises(BadSchedule, match=REFUSED[expression]):
        Schedule(expression)


NEVER = ["0 0 0 30 2 * *", "0 0 0 31 4,6,9,11 * *", "0 0 0 29 2 * 2027", "0 0 0 1 1 * 2026", "0 0 0 1 1 * 2100"]


@pytest.mark.parametrize("expression", NEVER)
def test_a_day_that_does_not_exist_or_is_over_never_ticks(expression: str) -> None:
    """That is no error here: there is no next tick. 2100 is a year to Kanidm's crate; the calendar ends before it."""
    assert Schedule(expression).next_after(FROM) is None


def test_the_last_tick_is_followed_by_none() -> None:
    """When the years are used up."""
    assert next_ticks("0 0 0 1 1 * 2027") == ["2027-01-01 00:00:00"]
    assert next_ticks("0 0 0 1 1 * 2099-2100", datetime(2098, 6, 1, tzinfo=UTC)) == ["2099-01-01 00:00:00"]


def test_ticks_are_in_utc_whatever_zone_the_time_is_in() -> None:
    """A time in another zone is the same time: days begin at midnight UTC."""
    there = datetime(2026, 11, 22, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    tick = Schedule("@daily").next_after(there)
    assert tick == datetime(2026, 11, 22, tzinfo=UTC)
    assert tick.utcoffset() == timedelta(0)


def test_the_next_tick_is_later_than_the_time() -> None:
    """On a tick the following one is next; a microsecond before it, it is that tick."""
    schedule = Schedule("*/5 * * * * *")
    assert schedule.next_after(FROM) == FROM + timedelta(seconds=5)
    assert schedule.next_after(FROM - timedelta(microseconds=1)) == FROM
    assert schedule.next_after(FROM + timedelta(microseconds=1)) == FROM + timedelta(seconds=5)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_are_read_in_any_case(alias: str) -> None:
    """`@Hourly` is `@hourly`, with spaces around it, too."""
    assert next_ticks(f" {alias.upper()} ") == next_ticks(alias)


def test_a_schedule_shows_itself_as_it_was_written() -> None:
    """What people see is what they wrote, not what croniter is given."""
    assert str(Schedule("0 0 0 * * Sunday *")) == "0 0 0 * * Sunday *"
