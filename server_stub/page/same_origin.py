"""Who may talk to the page, and what a browser may do with its answers.

Another web site could call this page: by the page's address (cross-site requests), or by a name of the site that
points to this machine (DNS rebinding). So the Host must be `localhost`, the host that the stub listens on, or an
address, which no DNS can rebind. A request that changes something must come from the page itself; browsers say so in
`Origin` and `Sec-Fetch-Site`. A program that sends neither, like curl, is not a browser and may change everything.

Every answer, errors too, carries the security headers: nothing is loaded from elsewhere, nothing is kept, and no
site may frame it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
SECURITY = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
}
READING = {"GET", "HEAD"}


class SameOriginOnly:
    """ASGI wrapper around the page; `host` is a further name that it answers to, besides localhost."""

    def __init__(self, app: ASGIApp, host: str = "localhost") -> None:
        self._app = app
        self._names = {"localhost", host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on; complete the answer either way."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope["method"], Headers(scope=scope)) or self._app
        await answer(scope, receive, complete)

    def _refusal(self, method: str, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return _refused(421, f"Open this page as localhost or by an IP address, not as {host!r}.")
        if method not in READING and not _is_from_the_page(headers, host):
            return _refused(403, "Another site sent this request; only the page itself may.")
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_from_the_page(headers: Headers, host: str) -> bool:
    same_origin = headers.get("origin", f"http://{host}") == f"http://{host}"
    return same_origin and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _refused(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
