"""When to poll: Kanidm's cron expressions (the Rust crate `cron` 0.17), in UTC.

An expression is read as Kanidm's sender reads it: 6 or 7 fields, seconds first, the optional last one is the year;
Sunday is 1; a day must fit both day-of-month and day-of-week; `@hourly` and its like are known. Each field becomes
a plain list of numbers, and croniter does the calendar. croniter would read the expression itself differently: it
counts weekdays from 0, joins the two day fields with "or", and expects the seconds last.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from croniter import croniter

ALIASES = {
    "@yearly": "0 0 0 1 1 * *",
    "@monthly": "0 0 0 1 * * *",
    "@weekly": "0 0 0 * * 1 *",
    "@daily": "0 0 0 * * * *",
    "@hourly": "0 0 * * * * *",
}
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september",
           "october", "november", "december")  # fmt: skip
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ITEM = re.compile(r"^(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?$")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 1, 7, _DAYS),
    _Field("year", 1970, 2100),
)
_WEEKDAY = 5
_YEAR = 6
_LAST_YEAR = 2099  # of croniter's calendar
_LONGEST_WAIT = 130  # years


class BadSchedule(ValueError):
    """The text is not a schedule; the message says which field is wrong, and why."""


class Schedule:
    """A cron expression as Kanidm means it. Raises `BadSchedule` if the expression cannot be read."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        fields = ALIASES.get(expression.strip().lower(), expression).split()
        if len(fields) not in {6, 7}:
            raise BadSchedule(f"{len(fields)} field{'s'[: len(fields) != 1]}, not 6 or 7 (seconds first)")
        texts = [*fields, "*"][: len(_FIELDS)]
        numbers = [_read(field, text) for field, text in zip(_FIELDS, texts, strict=True)]
        if weekdays := numbers[_WEEKDAY]:
            numbers[_WEEKDAY] = [day - 1 for day in weekdays]
        if years := numbers[_YEAR]:
            numbers[_YEAR] = [year for year in years if year <= _LAST_YEAR]
        self._cron = " ".join("*" if field is None else ",".join(map(str, field)) for field in numbers)
        self._ever = [] not in numbers
        self._calendar: croniter | None = None

    def __str__(self) -> str:
        """Give the expression as it was written."""
        return self.expression

    def next_after(self, time: datetime) -> datetime | None:
        """Return the first tick after an aware time, in UTC, or None where no more will come."""
        if not self._ever:
            return None
        # It takes as long to import as a web framework, and only a sender that polls needs it.
        from croniter import CroniterBadDateError, croniter  # noqa: PLC0415

        if self._calendar is None:
            self._calendar = croniter(
                self._cron,
                day_or=False,
                second_at_beginning=True,
                max_years_between_matches=_LONGEST_WAIT,
            )
        try:
            tick: datetime = self._calendar.get_next(datetime, start_time=time.astimezone(UTC))
        except CroniterBadDateError:
            return None
        return tick


def _read(field: _Field, text: str) -> list[int] | None:
    """Return the field's values in order, or None for all of them."""
    values = {value for item in text.split(",") for value in _item(field, item)}
    everything = len(values) == field.high - field.low + 1
    return None if everything else sorted(values)


def _item(field: _Field, item: str) -> range:
    match = _ITEM.match(item)
    if not match:
        raise BadSchedule(f"{field.name} {item!r} is not a number, a name, a range or *")
    star, first, last, step_text = match.groups()
    step = int(step_text) if step_text else 1
    if not 0 < step <= field.high:
        raise BadSchedule(f"{field.name} {item!r}: the step must be between 1 and {field.high}")
    if star:
        return range(field.low, field.high + 1, step)
    low = _number(field, first)
    # `5/15` starts at 5 and goes on to the end of the field; `5` is itself.
    high = _number(field, last) if last else (field.high if step_text else low)
    if low > high:
        raise BadSchedule(f"{field.name} {item!r}: the range runs backwards")
    return range(low, high + 1, step)


def _number(field: _Field, text: str) -> int:
    if text.isdecimal():
        value = int(text)
    else:
        word = {"tues": "tue", "thurs": "thu"}.get(text.lower(), text.lower())
        names = [index for index, name in enumerate(field.names) if word in {name, name[:3]}]
        if not names:
            raise BadSchedule(f"{field.name} {text!r} is not a number" + (" or a name" if field.names else ""))
        value = names[0] + field.low
    if not field.low <= value <= field.high:
        raise BadSchedule(f"{field.name} {value} is not between {field.low} and {field.high}")
    return value
