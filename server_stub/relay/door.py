"""The door of a listener: it takes connections, each into a task of its own, and can end them all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine

Receive = Callable[[socket.socket], Coroutine[object, object, None]]
"""What goes with a connection from its first packet to its end; it closes it."""
Visitors = set["asyncio.Task[None]"]
CROWDED_SECONDS = 1.0


class Door:
    """A listener on a bound socket. `visitors` are the connections of all doors of a relay, one task each."""

    def __init__(self, bound: socket.socket, receive: Receive, visitors: Visitors) -> None:
        self._bound = bound
        self._receive = receive
        self._visitors = visitors
        self._taking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Take connections from now on."""
        self._bound.setblocking(False)
        self._bound.listen(100)
        self._taking = asyncio.create_task(self._take())

    async def close(self) -> None:
        """Take no more of them, and end those that are there."""
        self.sever()
        if self._taking:
            self._taking.cancel()
            # The loop watches the socket until then; closed before, another one may get its number.
            await asyncio.gather(self._taking, *self._visitors, return_exceptions=True)
        self._bound.close()

    def sever(self) -> None:
        """End all connections, and go on taking new ones."""
        for visitor in self._visitors:
            visitor.cancel()

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._bound)
            except OSError:  # no descriptor is left, as asyncio's own servers meet it: give it a moment
                await asyncio.sleep(CROWDED_SECONDS)
                continue
            visitor = asyncio.create_task(self._receive(client))
            self._visitors.add(visitor)
            visitor.add_done_callback(self._visitors.discard)
