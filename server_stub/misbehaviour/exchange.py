"""One exchange between the API's server and its application, and the ways in which it can go wrong.

To disconnect, the application needs the connection itself. `HangUpProtocol` is uvicorn's own HTTP/1.1, and puts the
connection into the state of each request, where ASGI lets a server give objects to its application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "transport"


class HangUpProtocol(H11Protocol):
    """What `uvicorn.Config(http=...)` takes, where exchanges are to be cut off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's, as it is there
        """Let each request of this connection know it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


@dataclass(frozen=True)
class Exchange:
    """A request on its way to the application, by ASGI's four names."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def pass_on(self) -> None:
        """Have the application answer it, as usual."""
        await self.app(self.scope, self.receive, self.send)

    async def whole_answer(self) -> tuple[int, bytes]:
        """Have the application answer, and return status and body instead of sending them."""
        found: list[Message] = []

        async def keep(message: Message) -> None:
            found.append(message)

        await self.app(self.scope, self.receive, keep)
        return found[0]["status"], b"".join(message.get("body", b"") for message in found[1:])

    async def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer it without the application, with JSON unless the headers say otherwise."""
        named = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        await self._begin(status, named)
        await self.send({"type": "http.response.body", "body": body})

    async def cut(self) -> None:
        """End the connection at once, without another octet."""
        self.scope["state"][_TRANSPORT].abort()
        await self.hang()

    async def cut_after(self, octets: int, status: int, body: bytes) -> None:
        """Send so many octets of a body whose Content-Length promises all of it, and end the connection."""
        await self._begin(status, {"content-type": "application/json", "content-length": str(len(body))})
        await self.send({"type": "http.response.body", "body": body[:octets], "more_body": True})
        # Not abort: what has been written is to arrive.
        self.scope["state"][_TRANSPORT].close()
        await self.hang()

    async def hang(self) -> None:
        """Say nothing until the client has gone: whoever returns without an answer is broken to uvicorn."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _begin(self, status: int, headers: dict[str, str]) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})


Fault = Callable[[Exchange], Awaitable[None]]
"""What becomes of an exchange."""


async def reset(exchange: Exchange) -> None:
    """Cut the connection before anything happens."""
    await exchange.cut()


async def hang(exchange: Exchange) -> None:
    """Say nothing, for ever."""
    await exchange.hang()


async def lose_answer(exchange: Exchange) -> None:
    """Have it done, and cut the connection instead of saying so."""
    await exchange.whole_answer()
    await exchange.cut()


def truncate(after: int | None = None) -> Fault:
    """Return a fault that cuts the answer's body after so many octets, or in its middle."""

    async def fault(exchange: Exchange) -> None:
        status, body = await exchange.whole_answer()
        await exchange.cut_after(len(body) // 2 if after is None else after, status, body)

    return fault


def status(code: int, body: bytes = b"null", **headers: str) -> Fault:
    """Return a fault that answers with a status; an underscore in a header's name stands for a hyphen."""

    async def fault(exchange: Exchange) -> None:
        await exchange.answer(code, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return fault
