"""A response that is made once in a while, however many ask for it.

A page costs a hundred times as much as the request for it, and the same loop carries mail: nobody who asks again and
again may keep that waiting.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

SECONDS = 1.0
"""How old a response may be."""


class Kept:
    """A handler whose response `make` makes, for all requests of a second; those that come meanwhile wait for it."""

    def __init__(self, make: Callable[[], Awaitable[Response]]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._made_at = float("-inf")
        self._response = Response()

    async def answer(self, _: Request) -> Response:
        """Return the response; one that was being made for a client that is gone is made anew."""
        async with self._making:
            if time.monotonic() - self._made_at >= SECONDS:
                self._response = await self._make()
                self._made_at = time.monotonic()
        return self._response
