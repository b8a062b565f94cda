"""Lengths of time, moments and numbers as people say them: "12 min", "in 4 d", "3 deliveries"."""

from datetime import datetime, timedelta

_UNITS = ((timedelta(days=2), 86_400, "d"), (timedelta(hours=2), 3_600, "h"), (timedelta(minutes=2), 60, "min"))


def span(length: timedelta) -> str:
    """Return a length of time in the largest unit that says enough: "90 s", "12 min", "3 h", "4 d"."""
    seconds = max(0, round(length.total_seconds()))
    for least, size, unit in _UNITS:
        if length >= least:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def ago(time: datetime, now: datetime) -> str:
    """Return when that was or will be: "12 min ago", "in 4 min", "now"."""
    if abs(time - now) < timedelta(seconds=1):
        return "now"
    return f"{span(now - time)} ago" if time < now else f"in {span(time - now)}"


def senders_run(number: int) -> str:
    """Return that so many senders run, without a full stop."""
    return "1 sender runs" if number == 1 else f"{number} senders run"


def deliveries(number: int) -> str:
    """Return a number of deliveries."""
    return "1 delivery" if number == 1 else f"{number} deliveries"
