"""The door of a listener: it takes connections, and brings them to the point where a conversation begins.

What happens before the first word happens here, on the bare connection: the rules at `connect` and, with implicit
TLS, at `tls`. One task goes with each connection from its first packet to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import time

from server_stub.misbehaviour.relay_rule import RelayAct, RelayMoment
from server_stub.relay.conversation import Circumstances, Conversation

Visitors = set["asyncio.Task[None]"]
CROWDED_SECONDS = 1.0


class Door:
    """A listener on a bound socket. `visitors` are the connections of all doors of a relay, one task each."""

    def __init__(self, bound: socket.socket, circumstances: Circumstances, visitors: Visitors) -> None:
        self._bound = bound
        self._circumstances = circumstances
        self._visitors = visitors
        self._taking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Take connections from now on."""
        self._bound.setblocking(False)
        self._bound.listen(100)
        self._taking = asyncio.create_task(self._take())

    def close(self) -> None:
        """Take no more of them, and end those that are there."""
        if self._taking:
            self._taking.cancel()
        for visitor in self._visitors:
            visitor.cancel()
        self._bound.close()

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

    async def _receive(self, client: socket.socket) -> None:
        # Who goes, or does not like our certificate, is lost here; so is who is cut off.
        with contextlib.suppress(OSError):
            conversation, tls = await self._begin(client)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: conversation, client, ssl=tls)
            await conversation.ended.wait()

    async def _begin(self, client: socket.socket) -> tuple[Conversation, ssl.SSLContext | None]:
        try:
            client.setblocking(False)
            greeting = await self._act(client, "connect")
            if not self._circumstances.implicit_tls:
                return Conversation(self._circumstances, greeting), None
            tls = self._circumstances.tls.context(await self._act(client, "tls"))
            return Conversation(self._circumstances, greeting), tls
        except BaseException:
            client.close()
            raise

    async def _act(self, client: socket.socket, stage: str) -> RelayAct:
        moment = RelayMoment(stage, time.monotonic(), others=len(self._visitors) - 1)
        act = self._circumstances.misbehaviour.at_stage(moment)
        if act.stall == math.inf:
            await _outwait(client)
        await asyncio.sleep(act.stall)
        if act.cut:
            raise ConnectionAbortedError
        return act


async def _outwait(client: socket.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(client, 4096):
        pass
    raise ConnectionAbortedError
