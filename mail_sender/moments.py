"""Times in the words of a mail, counted from its Date, in UTC."""

from datetime import UTC, datetime, timedelta

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def until(moment: datetime, now: datetime) -> str:
    """Return how long it is until then: "in 55 minutes", "in 1 hour and 5 minutes".

    Rounded to the minute; `clock_time` beside it is exact.
    """
    seconds = int((moment - now).total_seconds()) + 30
    if seconds < 60:
        return "in less than a minute"
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'s'[: count != 1]}")
    return "in " + " and ".join(parts[:2])


def clock_time(moment: datetime, now: datetime) -> str:
    """Return the time of day, with the day where it is not today's.

    "at 14:05 UTC", "tomorrow at 00:10 UTC", "on 23 November 2026 at 09:30 UTC".
    """
    there, here = moment.astimezone(UTC), now.astimezone(UTC)
    time = f"at {there:%H:%M} UTC"
    if there.date() == here.date():
        return time
    if there.date() - here.date() == timedelta(days=1):
        return f"tomorrow {time}"
    return f"on {there.day} {there:%B} {there:%Y} {time}"
