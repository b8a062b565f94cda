"""The page's addresses: `/`, and the two files that it loads."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mail_sender.observe.page import page
from mail_sender.observe.watched import STANDING_BY, TOO_BUSY, Watched
from mail_sender.web.files import file_routes
from mail_sender.web.gate import POLICY, sentence
from mail_sender.web.kept import Kept


def page_routes(watched: Callable[[], Watched | None]) -> list[Route]:
    """Return the routes; `watched` gives what the page shows, None while the sender stands by."""

    async def page_now() -> Response:
        if (now := watched()) is None:
            return _page(page.html_standing_by(STANDING_BY, datetime.now(UTC)))
        if (status := await now.status_in_time()) is None:
            return sentence(503, f"{TOO_BUSY}; reload this page")
        return _page(page.html(status, await now.last()))

    return [Route("/", Kept(page_now).answer), *file_routes(page.FILES)]


def _page(html: str) -> Response:
    return HTMLResponse(html, headers={POLICY: page.POLICY})
