"""What templates may do with a value, besides what Jinja brings along.

{{ expires_at | date }}        21 November 2026
{{ expires_at | clock }}       14:05 CET
{{ expires_at | relative }}    in 55 minutes
{{ sentence | wrap }}          lines of at most 72 characters; links and Chinese are never cut
{{ reset_url | host }}         idm.example.com
"""

import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from markupsafe import Markup

from mail_sender.templating import dates

WIDTH = 72
"""Characters in a line of text (RFC 5322, section 2.1.1, asks for no more than 78)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as a template sees it; shown as it is, it is day and time. Its parts are out of a template's reach."""

    _at: datetime
    _now: datetime
    _zone: tzinfo
    _locale: Locale

    def __str__(self) -> str:
        """Return day and time, with its zone."""
        return dates.full(self._at, self._zone, self._locale)

    def date(self) -> str:
        """Return the day."""
        return dates.date(self._at, self._zone, self._locale)

    def clock(self) -> str:
        """Return the time of day, with its zone."""
        return dates.clock(self._at, self._zone, self._locale)

    def relative(self) -> str:
        """Return how long it is until then, from the mail's Date."""
        return dates.until(self._at, self._now, self._locale)


_FIRST_WIDE = "\u1100"  # of all characters (Unicode, East_Asian_Width); most lines need no closer look


def _wrap(text: object, width: int = WIDTH) -> str:
    paragraphs = str(text).splitlines() or [""]
    wrapped = "\n".join(
        line if _is_wide(line) else textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in paragraphs
    )
    return Markup(wrapped) if isinstance(text, Markup) else wrapped  # noqa: S704 - escaped already, as it came


def _is_wide(line: str) -> bool:
    """Say whether most of a line is in a script without spaces; mail programs know where to break it."""
    return max(line, default="") >= _FIRST_WIDE and 2 * sum(
        unicodedata.east_asian_width(char) in "WF" for char in line
    ) > len(line)


def _host(url: object) -> str:
    return urlsplit(str(url)).netloc.rpartition("@")[2]


FILTERS: dict[str, Callable[..., Any]] = {
    "date": Moment.date,
    "clock": Moment.clock,
    "relative": Moment.relative,
    "wrap": _wrap,
    "host": _host,
}
