"""A network in the place of sockets: each connection of httpcore is handed an answer, and then its end."""

from typing import Any

import httpcore


class Network(httpcore.AsyncNetworkBackend):
    """Hands each connection the next answer, the last one for good, in pieces of so many octets."""

    def __init__(self, answers: list[bytes], size: int) -> None:
        self.connections = 0
        self._answers = answers
        self._size = size

    async def connect_tcp(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Take a connection."""
        self.connections += 1
        answer = self._answers[min(self.connections, len(self._answers)) - 1]
        return _Stream(answer, max(self._size, len(answer) // 100))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, octets: bytes, size: int) -> None:
        self._pieces = iter([octets[at : at + size] for at in range(0, len(octets), size)])

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        return next(self._pieces, b"")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's own
        pass

    async def aclose(self) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        return info == "is_readable" or None  # nothing comes after an answer: the connection is not kept
