"""A listener takes connections on one port, each into a task of its own, and can end them all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine

Serve = Callable[[socket.socket], Coroutine[object, object, None]]
"""Serves a connection from its first packet to its end, and closes it."""
Connections = set["asyncio.Task[None]"]
CROWDED_SECONDS = 1.0


class Listener:
    """A listener on a bound socket. `connections` holds one task for each open connection of the relay."""

    def __init__(self, bound: socket.socket, serve: Serve, connections: Connections) -> None:
        self._bound = bound
        self._serve = serve
        self._connections = connections
        self._accepting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Take connections from now on."""
        self._bound.setblocking(False)
        self._bound.listen(100)
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Take no more of them, and end those that are there."""
        self.sever()
        if self._accepting:
            self._accepting.cancel()
            # The loop watches the socket until then; closed before, another one may get its number.
            await asyncio.gather(self._accepting, *self._connections, return_exceptions=True)
        self._bound.close()

    def sever(self) -> None:
        """End all connections, and go on taking new ones."""
        for connection in self._connections:
            connection.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._bound)
            except OSError:  # no descriptor is left: wait, as asyncio's own servers do
                await asyncio.sleep(CROWDED_SECONDS)
                continue
            connection = asyncio.create_task(self._serve(client))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)
