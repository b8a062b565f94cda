"""The reception: brings a connection to the point where a conversation begins, and stays until its end.

What happens before the first word happens here, on the bare connection: the rules at `connect` and, with implicit
TLS, at `tls`.
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

from server_stub.misbehaviour.relay_rule import RelayAct, RelayMoment
from server_stub.relay.conversation import Circumstances, Conversation


@dataclass(frozen=True)
class Reception:
    """The reception of a listener; `visitors` are the connections of the whole relay."""

    circumstances: Circumstances
    visitors: Sized

    async def receive(self, client: socket.socket) -> None:
        """Go with a connection to its end."""
        # Who goes, or does not like our certificate, is lost here; so is who is cut off.
        with contextlib.suppress(OSError):
            conversation, tls = await self._begin(client)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: conversation, client, ssl=tls)
            await conversation.ended.wait()

    async def _begin(self, client: socket.socket) -> tuple[Conversation, ssl.SSLContext | None]:
        try:
            client.setblocking(False)
            greeting = await self._act(client, "connect")
            if not self.circumstances.implicit_tls:
                return Conversation(self.circumstances, greeting), None
            tls = self.circumstances.tls.context(await self._act(client, "tls"))
            return Conversation(self.circumstances, greeting), tls
        except BaseException:
            client.close()
            raise

    async def _act(self, client: socket.socket, stage: str) -> RelayAct:
        moment = RelayMoment(stage, time.monotonic(), others=len(self.visitors) - 1)
        act = self.circumstances.misbehaviour.at_stage(moment)
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
