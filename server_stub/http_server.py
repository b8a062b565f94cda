"""One HTTP server: uvicorn on a socket that is bound already, with a limit for what a request may bring.

The API and the page each run in one. Signals are left to `service`, and nothing is logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from server_stub.certificates.server_certificate import ServerCertificate

GRACE_SECONDS = 2
LARGEST_BODY = 2 * 1024 * 1024  # octets; Kanidm's framework (axum) has this limit unless told otherwise
IDLE_SECONDS = 30  # hyper, under axum, keeps an idle connection at least so long
TOO_LARGE = "length limit exceeded"


class HttpServer:
    """A server for `app` on a bound socket, with TLS where it has a certificate."""

    def __init__(
        self,
        app: ASGIApp,
        bound: socket.socket,
        certificate: ServerCertificate | None = None,
        protocol: type[H11Protocol] = H11Protocol,
    ) -> None:
        config = uvicorn.Config(
            BodyLimit(app),
            ssl_certfile=certificate.chain if certificate else None,
            ssl_keyfile=str(certificate.key) if certificate else None,
            http=protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self.server = _Server(config)
        self._bound = bound

    async def start(self) -> asyncio.Task[None]:
        """Return the task that serves, once it answers."""
        serving = asyncio.create_task(self.server.serve([self._bound]))
        await self.server.listening.wait()
        return serving

    def stop(self) -> None:
        """Take no more requests, and end the serving task when the open ones are answered or out of time."""
        self.server.should_exit = True


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class BodyLimit:
    """ASGI middleware that refuses a request body above `LARGEST_BODY` with 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request that announces too large a body, or turns out to have one."""
        announced = Headers(scope=scope).get("content-length", "0") if scope["type"] == "http" else "0"
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise HTTPException(413, TOO_LARGE)  # which the application that reads the body answers
            return message

        if announced.isdecimal() and int(announced) > LARGEST_BODY:
            await PlainTextResponse(TOO_LARGE, 413, {"connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, counted, send)
