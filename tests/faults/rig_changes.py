"""Something has changed, and those who wait for it look again: no case sleeps and hopes."""

import asyncio
from collections.abc import Awaitable, Callable


class Changes:
    """One bell for all that a rig records."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Have everybody who waits look again."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def until(self, true: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Wait until something holds, at most so many real seconds; say whether it does."""

        async def is_so() -> bool:
            return true()

        return await self.until_seen(is_so, seconds)

    async def until_seen(self, true: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> bool:
        """Wait as `until` does, where looking takes an await."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    rung = self._rung  # taken before looking: what rings meanwhile is not missed
                    if await true():
                        return True
                    await rung.wait()
        except TimeoutError:
            return False
