"""A network in the place of sockets: what a connection is asked goes to a router of respx, whose answer comes back."""

import asyncio
from typing import Any

import httpx
import respx

from mail_sender.source.http_connection import Connection
from tests.unit.source.answering import SERVER


def connected(router: respx.MockRouter) -> Connection:
    """Return a connection to what answers as the router says; what it raises breaks the connection."""
    connection = Connection(30)
    connection.connection_made(_Transport(router, connection))
    return connection


class _Transport(asyncio.Transport):
    def __init__(self, router: respx.MockRouter, connection: Connection) -> None:
        super().__init__()
        self._router = router
        self._connection = connection
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._answering: asyncio.Task[None] | None = None

    def write(self, data: Any) -> None:
        self._answering = asyncio.create_task(self._answer(bytes(data)))

    def pause_reading(self) -> None:
        self._may_go_on.clear()

    def resume_reading(self) -> None:
        self._may_go_on.set()

    def abort(self) -> None:
        if self._answering is not None:
            self._answering.cancel()

    async def _answer(self, octets: bytes) -> None:
        start, *lines = octets.decode().removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = start.split(" ")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        try:
            response = await self._router.async_handler(httpx.Request(method, f"{SERVER}{target}", headers=headers))
        except Exception as error:  # noqa: BLE001 - whatever a test routes
            self._connection.end(error)
            return
        self._connection.data_received(_head(response))
        async for part in response.stream:  # type: ignore[union-attr]  # those of respx can be read so
            await self._may_go_on.wait()
            if part:
                self._connection.data_received(b"%x\r\n%b\r\n" % (len(part), part))
        self._connection.data_received(b"0\r\n\r\n")


def _head(response: httpx.Response) -> bytes:
    of_length = (b"content-length", b"transfer-encoding")
    headers = [pair for pair in response.headers.raw if pair[0].lower() not in of_length]
    lines = [b"%b: %b" % pair for pair in (*headers, (b"transfer-encoding", b"chunked"))]
    return b"\r\n".join([b"HTTP/1.1 %d x" % response.status_code, *lines, b"", b""])
