"""The filters of templates, besides those that Jinja has.

{{ expires_at | date }}        21 November 2026
{{ expires_at | clock }}       14:05 CET
{{ expires_at | relative }}    in 55 minutes
{{ sentence | wrap }}          lines of at most 72 characters; a link or a line of Chinese is never cut
{{ reset_url | host }}         idm.example.com

Applied to a hole, a filter is noted, and applied to each mail's value later.
"""

import textwrap
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from mail_sender.templating import hole
from mail_sender.templating.dates import TemplateTime
from mail_sender.templating.hole import Hole

WIDTH = 72
"""Characters in a line of text (RFC 5322, section 2.1.1, asks for no more than 78)."""


_FIRST_WIDE = "\u1100"  # of all characters (Unicode, East_Asian_Width); most lines need no closer look


def _wrap(text: object, width: int = WIDTH) -> str:
    paragraphs = str(text).splitlines() or [""]
    wrapped = "\n".join(line if _is_wide(line) else _folded(line, width) for line in paragraphs)
    return Markup(wrapped) if isinstance(text, Markup) else wrapped  # noqa: S704 - escaped already, as it came


@lru_cache(maxsize=64)  # sentences return with every mail
def _folded(line: str, width: int) -> str:
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


def _is_wide(line: str) -> bool:
    """Say whether most of a line is in a script without spaces; mail programs know where to break it."""
    if line.isascii() or max(line) < _FIRST_WIDE:
        return False
    return 2 * sum(unicodedata.east_asian_width(char) in "WF" for char in line) > len(line)


def host(url: object) -> str:
    """Return the host of a URL, with its port and without a user's name."""
    return urlsplit(str(url)).netloc.rpartition("@")[2]


OF_VALUES: dict[str, Callable[..., Any]] = {
    "date": TemplateTime.date,
    "clock": TemplateTime.clock,
    "relative": TemplateTime.relative,
    "wrap": _wrap,
    "host": host,
}
"""What each filter makes of a value."""


def _noting_holes(name: str, of_value: Callable[..., Any]) -> Callable[..., Any]:
    def applied(value: object, *args: object, **kwargs: object) -> object:
        if isinstance(value, Hole):
            if args or kwargs:
                raise TypeError("a hole notes a filter's name only")
            return hole.filtered(value, name)
        return of_value(value, *args, **kwargs)

    return applied


FILTERS = {name: _noting_holes(name, of_value) for name, of_value in OF_VALUES.items()}
"""The filters as templates get them."""
