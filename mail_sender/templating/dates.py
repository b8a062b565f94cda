"""Writes times as a mail shows them, in its language and zone: "in 55 minutes", "21 November 2026, 14:05 CET".

The words and formats are those of CLDR, which Babel contains. A relative time is counted from the mail's Date.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format, get_timezone_name

_UP_TO_TWO = 2  # of a unit, the smaller one says more: "in 65 minutes", "in 3 hours"
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
        both = str(get_datetime_format("medium", locale=self._locale))
        return both.replace("{1}", self.date()).replace("{0}", self.clock())

    def date(self) -> str:
        """Return the day: "21 November 2026"."""
        return _plain(format_date(self._at.astimezone(self._zone), "long", self._locale))

    def clock(self) -> str:
        """Return the time of day with its zone: "14:05 CET"."""
        there = self._at.astimezone(self._zone)
        return f"{_plain(format_time(there, 'short', locale=self._locale))} {_zone_name(there, self._locale)}"

    def relative(self) -> str:
        """Return how long it is until then from the mail's Date: "in 55 minutes", "in 3 hours".

        It is rounded to the minute; a time that is over is "in 0 minutes".
        """
        left = max(self._at - self._now, timedelta())
        said = format_timedelta(left, "minute", threshold=_UP_TO_TWO, add_direction=True, locale=self._locale)
        return _plain(said)


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
