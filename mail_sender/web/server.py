"""Answers requests on a socket, in the event loop that runs already, beside work that matters more.

A client gets one response for each connection, and a few seconds for all of it: one that is slow, silent or hostile
holds what it holds for that long, and no longer. The oldest connection makes room for one too many. What is kept of a
request is bounded: its head by uvicorn, its body because nobody reads it. `uvicorn.Server` itself is not used: it
takes over the process' signals, and wakes up ten times a second.
"""

import asyncio
import socket
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

SECONDS = 10.0
"""How long a connection may last, from its first byte to the end of its response."""
MOST_CONNECTIONS = 64
_LONGEST_HEAD = 16 * 1024
"""Bytes."""


class WebServer:
    """A server on a socket that already listens, from `start` to `close`."""

    def __init__(self, app: ASGIApp) -> None:
        self._config = Config(
            partial(_last_response, app),
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        self._config.load()
        self._state = ServerState()
        self._open: dict[_Connection, None] = {}
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Answer from now on; the socket is closed by `close`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._config, self._state, self._open),
            sock=listening,
            backlog=MOST_CONNECTIONS,
        )

    def close(self) -> None:
        """Answer no more, and drop what is open, at once; closing twice does no harm."""
        if self._server is not None:
            self._server.close()
        for connection in [*self._open]:
            connection.transport.abort()
        for task in self._state.tasks:
            task.cancel()


class _Connection(H11Protocol):
    """One connection; `open_ones` are all that are open, oldest first."""

    def __init__(self, config: Config, state: ServerState, open_ones: "dict[_Connection, None]") -> None:
        super().__init__(config, state, {})
        self._open_ones = open_ones

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._deadline = self.loop.call_later(SECONDS, transport.abort)
        self._open_ones[self] = None
        if len(self._open_ones) > MOST_CONNECTIONS:
            next(iter(self._open_ones)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._open_ones.pop(self, None)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's returns None
        """Keep the connection for the response to a client that has said all it has to say."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's type leaves out that there is none at first
        return cycle is not None and not cycle.response_complete


async def _last_response(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Say in each response that the connection ends with it."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    await app(scope, receive, closing)
