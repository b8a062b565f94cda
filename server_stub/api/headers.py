"""Kanidm's response headers, which depend on where in its layers a request ends (docs/kanidm-wire.md, Transport).

A path that no route matches gets none of them, `/status` an operation id only, everything else version, operation id
and the security headers; `/v1` besides forbids caching.
"""

from __future__ import annotations

import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VERSION = "1.12.0-dev"
# A real server adds the hashes of its own scripts to script-src.
POLICY = (
    "default-src 'self'; base-uri 'self' https:; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:; worker-src 'none'; script-src 'self' 'unsafe-eval';"
)
SECURITY = {
    "strict-transport-security": "max-age=63072001",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "permissions-policy": "fullscreen=(), geolocation=()",
    "referrer-policy": "no-referrer-when-downgrade",
}


class KanidmHeaders:
    """ASGI middleware that adds the headers to each response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete its answer."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_headers(scope))
            await send(message)

        await self.app(scope, receive, complete)


def _headers(scope: Scope) -> dict[str, str]:
    # The router notes an endpoint in the scope as soon as a path matches, also when the method does not.
    if "endpoint" not in scope:
        return {}
    operation = {"x-kanidm-opid": str(uuid.uuid4())}
    if scope["path"] == "/status":
        return operation
    caching = {"cache-control": "no-store, no-cache, max-age=0"} if scope["path"].startswith("/v1/") else {}
    return {"x-kanidm-version": VERSION, **operation, **caching, **SECURITY}
