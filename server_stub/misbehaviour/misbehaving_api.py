"""The API as it is on a bad day: an ASGI application around the real one that acts out the rules.

To hang up, the application needs the connection itself. `HangUpProtocol` is uvicorn's own HTTP/1.1 that puts it into
the state of each request, where ASGI has a place for what a server gives to its application.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from server_stub.misbehaviour.api_rule import ApiAct, call_of
from server_stub.misbehaviour.canned_answer import canned
from server_stub.misbehaviour.in_force import Misbehaviour

TRANSPORT = "transport"


class HangUpProtocol(H11Protocol):
    """What `uvicorn.Config(http=...)` takes, where the application is a MisbehavingApi."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's, as it is there
        """Let each request of this connection know it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class MisbehavingApi:
    """ASGI middleware, the outermost: a proxy's answers carry none of Kanidm's headers."""

    def __init__(self, app: ASGIApp, misbehaviour: Misbehaviour) -> None:
        self.app = app
        self.misbehaviour = misbehaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do with this request what the rules want."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        act = self.misbehaviour.at_call(call_of(scope["method"], scope["path"]))
        await asyncio.sleep(act.latency_ms / 1000)
        await self._act(act, scope, receive, send)

    async def _act(self, act: ApiAct, scope: Scope, receive: Receive, send: Send) -> None:
        if act.cut == "before":
            await _hang_up(scope, receive)
        elif act.cut == "in_body":
            await self._halve(scope, receive, send)
        elif act.lose_answer:
            await self.app(scope, receive, _unheard)
            await _hang_up(scope, receive)
        elif act.status:
            await canned(act)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _halve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the first half of the real answer, whose Content-Length promises all of it."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in answer)
        await send(answer[0])
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        # Not abort: what has been written is to arrive.
        scope["state"][TRANSPORT].close()
        await _gone(receive)


async def _unheard(_: Message) -> None:
    pass


async def _hang_up(scope: Scope, receive: Receive) -> None:
    scope["state"][TRANSPORT].abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    # uvicorn takes an application that returns without an answer for a broken one, unless the client has gone.
    while (await receive())["type"] != "http.disconnect":
        pass
