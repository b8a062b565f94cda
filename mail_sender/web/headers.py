"""What the headers of an answer say of time: how long to wait, and what time it is there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST_RETRY_AFTER = 300.0  # seconds
_LIKELY_YEARS = range(2020, 2200)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the wait in seconds, at most five minutes (RFC 9110, section 10.2.3: seconds or a date).

    A date is the server's, so it is compared with the server's own time, where the answer has it.
    """
    if (value := headers.get("retry-after")) is None:
        return None
    try:
        is_number = value.strip().isdecimal()
        now = date(headers.get("date")) or datetime.now(UTC)
        seconds = float(value) if is_number else (_time(value) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def date(value: str | None) -> datetime | None:
    """Return the time in a Date header, or None if there is none (RFC 9110, section 6.6.1)."""
    try:
        time = None if value is None else _time(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if time is not None and time.year in _LIKELY_YEARS else None


def _time(text: str) -> datetime:
    time = parsedate_to_datetime(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
