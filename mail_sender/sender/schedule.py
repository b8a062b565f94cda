"""When to poll: Kanidm's cron expressions (the Rust crate `cron` 0.17), in UTC.

An expression is read as Kanidm's sender reads it: 6 or 7 fields, seconds first, the optional last one is the year;
Sunday is 1; a day must fit both day-of-month and day-of-week; `@hourly` and its like are known. Each field becomes
a list of numbers. The next tick is the first day that fits, and on it the first time of day; if today's are over,
those of the next day that fits.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta

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
_LAST_YEAR = 2099  # of a list of years; every year has no last one
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
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays, years = numbers
        is_every_year = len(years) == len(_item(_FIELDS[-1], "*"))
        self._years = None if is_every_year else [year for year in years if year <= _LAST_YEAR]

    def __str__(self) -> str:
        """Give the expression as it was written."""
        return self.expression

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first tick after an aware time, in UTC, or None where no more will come."""
        start = instant.astimezone(UTC).replace(microsecond=0, tzinfo=None) + timedelta(seconds=1)
        for day in self._days_from(start.date()):
            earliest = start.time() if day == start.date() else time.min
            if (at := self._time_from(earliest)) is not None:
                return datetime.combine(day, at, UTC)
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        """Return the days that fit, in order, beginning with `first`."""
        years = range(first.year, min(first.year + _LONGEST_WAIT, MAXYEAR) + 1)
        days = (
            date(year, month, day)
            for year in years
            if self._years is None or year in self._years
            for month in self._months
            if (year, month) >= (first.year, first.month)
            for day in self._days
            if day <= monthrange(year, month)[1]
        )
        return (day for day in days if day >= first and day.isoweekday() % 7 + 1 in self._weekdays)

    def _time_from(self, earliest: time) -> time | None:
        """Return the first time of day that fits, beginning with `earliest`."""
        times = (
            time(hour, minute, second)
            for hour in self._hours
            if hour >= earliest.hour
            for minute in self._minutes
            if (hour, minute) >= (earliest.hour, earliest.minute)
            for second in self._seconds
        )
        return next((at for at in times if at >= earliest), None)


def _read(field: _Field, text: str) -> list[int]:
    """Return the field's values in order."""
    return sorted({value for item in text.split(",") for value in _item(field, item)})


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
