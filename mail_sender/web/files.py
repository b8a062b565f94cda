"""The style sheets and scripts of a page, served as they lie in its folder."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES = {".css": "text/css", ".js": "text/javascript"}


def file_routes(folder: Path) -> list[Route]:
    """Return a route for each style sheet and script of a folder, under its own name."""
    return [_route(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES]


def _route(path: Path) -> Route:
    content = path.read_bytes()

    async def show_file(_: Request) -> Response:
        return Response(content, media_type=_TYPES[path.suffix])

    return Route(f"/{path.name}", show_file)
