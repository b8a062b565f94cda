"""A network in the place of sockets: each connection is handed an answer once it is asked, and then its end."""

import asyncio
from typing import Any

from mail_sender.source.http_connection import Connection


class Network:
    """Hands each connection the next answer, the last one for good, in pieces of so many octets."""

    def __init__(self, answers: list[bytes], size: int) -> None:
        self.connections = 0
        self._answers = answers
        self._size = size

    async def connect(self) -> Connection:
        """Take a connection."""
        self.connections += 1
        answer = self._answers[min(self.connections, len(self._answers)) - 1]
        connection = Connection(30)
        connection.connection_made(_Transport(connection, answer, max(self._size, len(answer) // 100)))
        return connection

    def asked_of_proxy(self) -> tuple[bytes, bytes]:
        """Say that there is no proxy."""
        return b"", b""


class _Transport(asyncio.Transport):
    def __init__(self, connection: Connection, octets: bytes, size: int) -> None:
        super().__init__()
        self._connection = connection
        self._pieces = [octets[at : at + size] for at in range(0, len(octets), size)]

    def write(self, data: Any) -> None:
        asyncio.get_running_loop().call_soon(self._hand_over)

    def abort(self) -> None:
        self._pieces.clear()

    def pause_reading(self) -> None:
        pass  # what is read late is kept

    def resume_reading(self) -> None:
        pass

    def _hand_over(self) -> None:
        if self._pieces:
            self._connection.data_received(self._pieces.pop(0))
        if self._pieces:
            asyncio.get_running_loop().call_soon(self._hand_over)
        else:
            self._connection.eof_received()
