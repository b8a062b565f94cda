"""Times in the words of a mail, in its language and zone (CLDR, by Babel), counted from its Date."""

from datetime import datetime, tzinfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format, get_timezone_name

_UP_TO_TWO = 2  # of a unit, the smaller one says more: "in 65 minutes", "in 3 hours"

_LONGEST_SHORT_NAME = 5  # some of CLDR's are whole sentences


def until(moment: datetime, now: datetime, locale: Locale) -> str:
    """Return how long it is until then, rounded to the minute: "in 55 minutes", "in 3 hours"."""
    left = max(moment - now, moment - moment)
    said = format_timedelta(left, granularity="minute", threshold=_UP_TO_TWO, add_direction=True, locale=locale)
    return _plain(said)


def date(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """Return the day: "21 November 2026"."""
    return _plain(format_date(moment.astimezone(zone), "long", locale))


def clock(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """Return the time of day with its zone: "14:05 CET"."""
    there = moment.astimezone(zone)
    return f"{_plain(format_time(there, 'short', locale=locale))} {_zone_name(there, locale)}"


def full(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """Return day and time: "21 November 2026, 14:05 CET"."""
    both = str(get_datetime_format("medium", locale=locale))
    return both.replace("{1}", date(moment, zone, locale)).replace("{0}", clock(moment, zone, locale))


def _zone_name(there: datetime, locale: Locale) -> str:
    """Return the zone's short name in the language ("MEZ"), or else the one that all use ("CET", "UTC+0330")."""
    name = there.tzname() or "UTC"
    said = get_timezone_name(there, "short", locale=locale)
    if name != "UTC" and said.isalpha() and len(said) <= _LONGEST_SHORT_NAME:
        return str(said)
    return name if name[0].isalpha() else f"UTC{name}"


def _plain(text: str) -> str:
    """Return a text with ordinary spaces: CLDR's narrow ones would be all that keeps a mail from being ASCII."""
    return text.replace("\u202f", " ").replace("\xa0", " ")
