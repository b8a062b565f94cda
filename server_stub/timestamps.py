"""Times in nanoseconds since 1970, as Kanidm writes and orders them (docs/kanidm-wire.md, The queue entry)."""

from __future__ import annotations

import datetime as dt
import re

NANOS = 10**9
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)")


def write(time_ns: int) -> str:
    """Return RFC 3339 in UTC with 0 to 9 fraction digits, trailing zeros trimmed."""
    seconds, fraction = divmod(time_ns, NANOS)
    whole = (EPOCH + dt.timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    return f"{whole}.{fraction:09}".rstrip("0").rstrip(".") + "Z"


def read(text: object) -> int | None:
    """Return the nanoseconds of an RFC 3339 time, None where `text` is not one."""
    match = RFC3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    date, time, fraction, zone = match.groups()
    try:
        whole = dt.datetime.fromisoformat(f"{date}T{time}{zone.upper()}")
    except ValueError:
        return None
    return (whole - EPOCH) // dt.timedelta(seconds=1) * NANOS + int((fraction or "0").ljust(9, "0"))
