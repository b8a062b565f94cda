"""One connection to a listener, from its first packet to its end.

The rules at `connect` and, with implicit TLS, at `tls` act here, on the bare connection. After that the connection
becomes a `Conversation`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import time
from collections.abc import Sized
from dataclasses import dataclass

from server_stub.misbehaviour.relay_rule import RelayAct, RelayEvent
from server_stub.relay.conversation import Conversation, ListenerSettings


@dataclass(frozen=True)
class ConnectionHandler:
    """Serves the connections of a listener; `connections` are the open ones of the whole relay."""

    settings: ListenerSettings
    connections: Sized

    async def serve(self, client: socket.socket) -> None:
        """Serve a connection to its end."""
        # A client that hangs up, that does not trust our certificate or that the rules cut off is no error of ours.
        with contextlib.suppress(OSError):
            conversation, tls = await self._begin(client)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: conversation, client, ssl=tls)
            await conversation.ended.wait()

    async def _begin(self, client: socket.socket) -> tuple[Conversation, ssl.SSLContext | None]:
        try:
            client.setblocking(False)
            greeting = await self._act(client, "connect")
            if not self.settings.implicit_tls:
                return Conversation(self.settings, greeting), None
            tls = self.settings.tls.context(await self._act(client, "tls"))
            return Conversation(self.settings, greeting), tls
        except BaseException:
            client.close()
            raise

    async def _act(self, client: socket.socket, stage: str) -> RelayAct:
        event = RelayEvent(stage, time.monotonic(), others=len(self.connections) - 1)
        act = self.settings.misbehaviour.at_stage(event)
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
