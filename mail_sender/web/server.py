"""Answers requests on a socket, in the event loop that runs already, beside work that matters more.

A client gets one response for each connection, and a few seconds for all of it: one that is slow, silent or hostile
holds what it holds for that long, and no longer. For one connection too many another one makes room: the oldest of
those that have not asked for anything, or else the oldest. What is kept of a request is bounded: h11 reads its head,
and nobody reads its body.

A server such as uvicorn would bring what is not needed here, would keep connections, and let heads take their time.
"""

import asyncio
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

import h11
from starlette.types import ASGIApp, Message, Scope

SECONDS = 10.0
"""How long a connection may last, from its first byte to the end of its response."""
MOST_CONNECTIONS = 64
_LONGEST_HEAD = 16 * 1024
"""Bytes."""


class WebServer:
    """A server on a socket that already listens, from `start` to `close`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: dict[_Connection, None] = {}
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Answer from now on; the socket is closed by `close`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._app, self._open), sock=listening, backlog=MOST_CONNECTIONS
        )

    def close(self) -> None:
        """Answer no more, and drop what is open, at once; closing twice does no harm."""
        if self._server is not None:
            self._server.close()
        for connection in [*self._open]:
            connection.abort()


class _Connection(asyncio.Protocol):
    """One connection; `open_ones` are all that are open, oldest first."""

    def __init__(self, app: ASGIApp, open_ones: "dict[_Connection, None]") -> None:
        self._app = app
        self._open_ones = open_ones
        self._http = h11.Connection(h11.SERVER, _LONGEST_HEAD)
        self._responding: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place among the open ones."""
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = asyncio.get_running_loop().call_later(SECONDS, self.abort)
        self._open_ones[self] = None
        if len(self._open_ones) > MOST_CONNECTIONS:
            others = [one for one in self._open_ones if one is not self]
            next((one for one in others if one.is_silent), others[0]).abort()

    def connection_lost(self, _: Exception | None) -> None:
        """Give the place back; nobody waits for the response any more."""
        self._deadline.cancel()
        self._open_ones.pop(self, None)
        if self._responding is not None:
            self._responding.cancel()

    @property
    def is_silent(self) -> bool:
        """Whether it has not asked for anything yet."""
        return self._responding is None

    def abort(self) -> None:
        """Drop the connection at once; its place is free from now on, not only when the loop comes round to it."""
        self._open_ones.pop(self, None)
        self._transport.abort()

    def eof_received(self) -> bool:
        """Keep the connection for the response to a client that has said all it has to say."""
        return self._responding is not None

    def data_received(self, data: bytes) -> None:
        """Read the head of a request; what comes after it is dropped."""
        if self._responding is not None or self._transport.is_closing():
            return
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
        except h11.RemoteProtocolError:
            self._refuse()
            return
        if isinstance(event, h11.Request):
            self._responding = asyncio.get_running_loop().create_task(self._respond(event))

    async def _respond(self, request: h11.Request) -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._begin(message["status"], [(name, value) for name, value in message["headers"]])
                return
            self._write(h11.Data(data=b"" if request.method == b"HEAD" else message.get("body", b"")))
            if not message.get("more_body", False):
                self._end()

        try:
            await self._app(self._scope(request), receive, send)
        except Exception:  # noqa: BLE001 - the application has said 500; a traceback helps nobody
            self._transport.close()

    def _scope(self, request: h11.Request) -> Scope:
        """Return the request as ASGI has it (its specification, HTTP connection scope)."""
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.http_version.decode(),
            "method": request.method.decode(),
            "scheme": "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [*request.headers],
            "client": None,
            "server": None,
        }

    def _refuse(self) -> None:
        """Answer what is no HTTP request, or has too long a head."""
        with suppress(h11.LocalProtocolError):
            self._begin(400, [(b"content-type", b"text/plain")])
            self._write(h11.Data(data=b"that is no HTTP request, or its head is too long\n"))
            self._end()
        self._transport.close()

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        reason = HTTPStatus(status).phrase.encode()
        self._write(h11.Response(status_code=status, headers=[*headers, (b"connection", b"close")], reason=reason))

    def _end(self) -> None:
        self._write(h11.EndOfMessage())
        self._transport.close()

    def _write(self, event: h11.Event) -> None:
        self._transport.write(self._http.send(event) or b"")
