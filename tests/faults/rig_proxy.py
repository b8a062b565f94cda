"""A TCP proxy in front of the relay, which cuts the ciphertext: it sees octets and nothing of what they mean.

Which mails a cut may have touched is told by `cut_ports`: the relay knows its peers by those ports. What the relay
wrote there, the client may have read or not.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

from tests.faults.rig_wire import Cut, How

_CHUNK = 65536


class Proxy:
    """A proxy on a free port of loopback; `cut` gives the cut of each connection, by its number, or None."""

    def __init__(self, relay_port: int, cut: Callable[[int], Cut | None]) -> None:
        self.port = 0
        self.cut_ports: set[int] = set()
        self.passed: list[dict[str, int]] = []
        self._relay_port = relay_port
        self._cut = cut
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take connections from now on."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept())

    async def close(self) -> None:
        """End all connections."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            client.setblocking(False)
            self._start(self._carry(client))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        relay = socket.socket()
        relay.setblocking(False)
        counts = {"up": 0, "down": 0}
        self.passed.append(counts)
        cut = self._cut(len(self.passed))
        with contextlib.ExitStack() as stack:
            stack.callback(relay.close)
            stack.callback(client.close)
            await loop.sock_connect(relay, ("127.0.0.1", self._relay_port))
            ways = [
                asyncio.ensure_future(_pump(client, relay, "up", counts, cut)),
                asyncio.ensure_future(_pump(relay, client, "down", counts, cut)),
            ]
            stack.callback(lambda: [way.cancel() for way in ways])
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if cut and any(way.result() for way in done):
                self.cut_ports.add(relay.getsockname()[1])
                for way in ways:
                    way.cancel()
                await _end(client, relay, cut.how)


async def _pump(
    source: socket.socket, sink: socket.socket, way: str, counts: dict[str, int], cut: Cut | None
) -> bool:
    """Carry octets one way until an end; say whether that was the cut."""
    loop = asyncio.get_running_loop()
    limit = cut.after if cut and cut.direction == way else None
    with contextlib.suppress(OSError):
        while limit is None or counts[way] < limit:
            octets = await loop.sock_recv(source, _CHUNK)
            if not octets:
                return False
            octets = octets if limit is None else octets[: limit - counts[way]]
            counts[way] += len(octets)
            await loop.sock_sendall(sink, octets)
        return True
    return False


async def _end(client: socket.socket, relay: socket.socket, how: How) -> None:
    """End both sides so; a stall lasts until the client has given up."""
    if how is How.RST:
        for side in (client, relay):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        if how is How.FIN:
            client.shutdown(socket.SHUT_WR)
        while await loop.sock_recv(client, _CHUNK):
            pass
