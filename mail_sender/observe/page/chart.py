"""The chart of the last 24 hours: for each hour one bar of what was accepted, what was deferred, and what failed.

The bars are rectangles with plain coordinates, for a picture (SVG) that the server writes and no script touches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 720, 160
"""The picture's size, in its own units."""
_FLOOR = 138
_TOP = 14
_GAP = 3
_TICKS = 4
"""A time is written below each bar of so many hours, counted from the latest."""

SERIES: Mapping[str, frozenset[str]] = {
    "accepted": frozenset({"accepted"}),
    "deferred": frozenset({"deferred", "throttled", "relay_down", "uncertain", "interrupted"}),
    "failed": frozenset({"refused"}),
}
"""What the chart shows, from the floor upwards, and the verdicts that it counts."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of one series."""

    series: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: where it stands, what it says when it is pointed at, its parts, and the time below it, if any."""

    x: float
    width: float
    title: str
    parts: tuple[Part, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture: its bars, the number at its top, and how many attempts of each series there were."""

    bars: tuple[Bar, ...]
    most: int
    totals: Mapping[str, int]


def chart(hours: Sequence[Mapping[str, int]], now: datetime) -> Chart:
    """Return the chart of attempts by verdict in each hour, the one that ends now last."""
    counts = [
        {name: sum(hour.get(one, 0) for one in verdicts) for name, verdicts in SERIES.items()} for hour in hours
    ]
    most = max((sum(count.values()) for count in counts), default=0)
    width = WIDTH / max(len(counts), 1)
    bars = tuple(
        Bar(
            x=round(number * width + _GAP / 2, 2),
            width=round(width - _GAP, 2),
            title=_title(count, ends := now - timedelta(hours=len(counts) - 1 - number)),
            parts=_parts(count, most),
            label=f"{ends:%H:%M}" if (len(counts) - 1 - number) % _TICKS == 0 else "",
        )
        for number, count in enumerate(counts)
    )
    return Chart(bars, most, {name: sum(count[name] for count in counts) for name in SERIES})


def _parts(count: Mapping[str, int], most: int) -> tuple[Part, ...]:
    parts, y = [], float(_FLOOR)
    for name, number in count.items():
        if number:
            height = max(2.0, round((_FLOOR - _TOP) * number / most, 2))
            y = round(y - height, 2)
            parts.append(Part(name, y, height))
    return tuple(parts)


def _title(count: Mapping[str, int], ends: datetime) -> str:
    said = ", ".join(f"{number} {name}" for name, number in count.items())
    return f"{ends - timedelta(hours=1):%H:%M} to {ends:%H:%M} UTC: {said}"
