"""The page as HTML, from the status and the last deliveries, or for a sender that stands by.

It is made anew for each request, and only reads. It works without JavaScript; the script in it asks for the page
again every few seconds. Recipients are masked, and nothing in it is a secret.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import jinja2

from mail_sender.ledger.base import Entry
from mail_sender.ledger.states import State
from mail_sender.names import address
from mail_sender.observe.headline import headline
from mail_sender.observe.page.chart import HEIGHT, WIDTH, chart
from mail_sender.observe.status import SEEN_LATELY, Status
from mail_sender.observe.words import ago, span

FILES = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy (CSP Level 3): its own files, nothing from elsewhere, and in nobody's frame."""

_TILES = (
    State.QUEUED,
    State.PROCESSING,
    State.SENT,
    State.HELD,
    State.FAILED,
    State.ABANDONED,
    State.EXPIRED,
    State.UNKNOWN,
)


def html(status: Status, deliveries: Sequence[Entry]) -> str:
    """Return the page of a sender at work."""
    return _template().render(
        status=status,
        deliveries=deliveries,
        chart=chart(status.attempts.by_hour, status.at) if status.attempts else None,
        size=(WIDTH, HEIGHT),
        tiles=_TILES,
        now=status.at,
        headline=headline(status),
    )


def html_standing_by(why: str, now: datetime) -> str:
    """Return the page of a sender that stands by."""
    return _template().render(status=None, why=why, now=now)


def when(time: datetime, now: datetime) -> str:
    """Return when that was or will be, as "14:03:10 UTC, 12 min ago"; another day's with its date."""
    form = "%H:%M:%S UTC" if abs(now - time) < timedelta(hours=12) else "%Y-%m-%d %H:%M UTC"
    return f"{time.astimezone(UTC):{form}}, {ago(time, now)}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"mask": address.mask, "span": lambda seconds: span(timedelta(seconds=seconds))}
    environment.globals |= {"when": when, "ago": ago, "lately": SEEN_LATELY}
    return environment.from_string((FILES / "page.html.j2").read_text(encoding="utf-8"))
