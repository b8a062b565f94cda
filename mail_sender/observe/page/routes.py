"""The page's addresses: `/`, and the two files that it loads."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mail_sender.observe.page import page
from mail_sender.observe.watched import STANDING_BY, TOO_BUSY, Watched
from mail_sender.web.gate import POLICY, sentence

_FILES = {"page.css": "text/css", "page.js": "text/javascript"}


def page_routes(watched: Callable[[], Watched | None]) -> list[Route]:
    """Return the routes; `watched` gives what the page shows, None while the sender stands by."""

    async def show_page(_: Request) -> Response:
        if (now := watched()) is None:
            return _page(page.html_standing_by(STANDING_BY, datetime.now(UTC)))
        if (status := await now.status_in_time()) is None:
            return sentence(503, f"{TOO_BUSY}; reload this page")
        return _page(page.html(status, await now.last()))

    return [Route("/", show_page), *(Route(f"/{name}", _file(name, kind)) for name, kind in _FILES.items())]


def _page(html: str) -> Response:
    return HTMLResponse(html, headers={POLICY: page.POLICY})


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def show_file(_: Request) -> Response:
        return Response((page.FILES / name).read_bytes(), media_type=kind)

    return show_file
