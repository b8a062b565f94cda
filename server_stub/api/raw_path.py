"""Paths as Kanidm's router (axum) reads them: compared as they were sent, and only what a name captures is decoded.

So `/scim/v1/%4dessage` is no route, and `/scim/v1/Message/%5fready` is the message of that name.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send


class _Decoded(StringConvertor):
    """One segment of a path, as `{name:segment}`."""

    def convert(self, value: str) -> str:
        return unquote(value)


register_url_convertor("segment", _Decoded())


class RawPath:
    """ASGI middleware that hands on the path undecoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if raw := scope.get("raw_path"):
            scope["path"] = raw.decode("latin-1")  # in its place: who stands outside learns there which route it was
        await self._app(scope, receive, send)
