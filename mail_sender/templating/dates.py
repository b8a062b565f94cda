"""Writes times as a mail shows them, in its language and zone: "in 55 minutes", "21 November 2026, 14:05 CET".

The words and formats are those of CLDR, which Babel contains. A relative time is counted from the mail's Date. The
words of a minute are kept for a while: Babel takes longer for them than all the rest of a mail does.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format, get_timezone_name

_UP_TO_TWO = 2  # of a unit, the smaller one says more: "in 65 minutes", "in 3 hours"
_KEPT = 256  # minutes, in one language and zone each
_LONGEST_SHORT_NAME = 5  # some of CLDR's are whole phrases


@dataclass(frozen=True, slots=True)
class TemplateTime:
    """A time as a template gets it; printed, it is day and time. Templates cannot reach its fields."""

    _at: datetime
    _now: datetime
    _zone: tzinfo
    _locale: Locale

    def __str__(self) -> str:
        """Return day and time: "21 November 2026, 14:05 CET"."""
        day, clock = self._there
        return _day_and_clock_pattern(self._locale).replace("{1}", day).replace("{0}", clock)

    def date(self) -> str:
        """Return the day: "21 November 2026"."""
        return self._there[0]

    def clock(self) -> str:
        """Return the time of day with its zone: "14:05 CET"."""
        return self._there[1]

    def relative(self) -> str:
        """Return how long it is until then from the mail's Date: "in 55 minutes", "in 3 hours".

        It is rounded to the minute; a time that is over is "in 0 minutes".
        """
        left = max(self._at - self._now, timedelta())
        seconds = left.days * 86_400 + left.seconds
        minutes = round(seconds / 60) or min(seconds, 1)
        # Of less than two hours, all that are rounded to the same minute are said in the same words.
        return _relative(minutes * 60 if minutes < _UP_TO_TWO * 60 else seconds, self._locale)

    @property
    def _there(self) -> tuple[str, str]:
        there = self._at.astimezone(self._zone)
        return _day_and_clock(
            there.replace(tzinfo=None, second=0, microsecond=0), there.fold, self._zone, self._locale
        )


@lru_cache(maxsize=_KEPT)
def _day_and_clock(minute: datetime, fold: int, zone: tzinfo, locale: Locale) -> tuple[str, str]:
    there = minute.replace(tzinfo=zone, fold=fold)
    clock = f"{_plain(format_time(there, 'short', locale=locale))} {_zone_name(there, locale)}"
    return _plain(format_date(there, "long", locale)), clock


@lru_cache(maxsize=_KEPT)
def _day_and_clock_pattern(locale: Locale) -> str:
    return str(get_datetime_format("medium", locale=locale))


@lru_cache(maxsize=_KEPT)
def _relative(seconds: int, locale: Locale) -> str:
    left = timedelta(seconds=seconds)
    return _plain(format_timedelta(left, "minute", threshold=_UP_TO_TWO, add_direction=True, locale=locale))


def _zone_name(there: datetime, locale: Locale) -> str:
    """Return the zone's short name in the language ("MEZ"), or else the international one ("CET", "UTC+0330")."""
    name = there.tzname() or "UTC"
    said = get_timezone_name(there, "short", locale=locale)
    if name != "UTC" and said.isalpha() and len(said) <= _LONGEST_SHORT_NAME:
        return str(said)
    return name if name[0].isalpha() else f"UTC{name}"


def _plain(text: str) -> str:
    """Return a text with ordinary spaces: CLDR's narrow ones would be all that keeps a mail from being ASCII."""
    return text.replace("\u202f", " ").replace("\xa0", " ")
