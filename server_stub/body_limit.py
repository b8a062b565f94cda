"""A limit for what a request may bring: 2 MiB, as Kanidm's framework (axum) has it unless told otherwise."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 2 * 1024 * 1024
REFUSAL = "length limit exceeded"


class BodyLimit:
    """ASGI wrapper around an application that reads whole bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request that says that it is too large, or turns out to be."""
        told = Headers(scope=scope).get("content-length", "0") if scope["type"] == "http" else "0"
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > LARGEST:
                raise HTTPException(413, REFUSAL)  # which the application that reads it answers
            return message

        if told.isdecimal() and int(told) > LARGEST:
            await PlainTextResponse(REFUSAL, 413, {"connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, counted, send)
