"""How long each step of a conversation with the relay may take, in seconds, and how a step is held to it.

The name, the connection and TLS have `mail_connect_timeout_seconds` of the configuration each.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mail_sender.verdict import Stage

GREETING = 300.0
"""The greeting, once the connection stands (RFC 5321, section 4.5.3.2.1)."""
COMMAND = 60.0
"""Each reply up to RCPT."""
QUIT = 1.0
RESET = 5.0
"""RSET, before the next mail on a connection."""

NEVER = 1e6
"""For the deadlines of asyncio and aiosmtplib, which would not read what has arrived: `within` is used instead."""

_OF_STAGE = {
    Stage.DATA: 120.0,
    Stage.BODY: 180.0,
    # RFC 5321, section 4.5.3.2.6: a shorter one makes copies.
    Stage.DOT: 600.0,
}
_TURNS = 20  # a reply takes about four, from the socket through TLS to the task that waits for it


def of(stage: Stage) -> float:
    """Return the deadline of a step after the greeting."""
    return _OF_STAGE.get(stage, COMMAND)


class Late:
    """Calls `late` after so many seconds, unless it is cancelled before; but what has arrived is read first.

    A process that was stopped for longer than the deadline finds a late clock and a reply that waits in the socket.
    A timer looks at the clock alone, and would take that reply for none.
    """

    __slots__ = ("_late", "_loop", "_timer")

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._late = late
        self._timer: asyncio.Handle = self._loop.call_later(seconds, self._judge, _TURNS)

    def _judge(self, turns: int) -> None:
        if turns:
            self._timer = self._loop.call_soon(self._judge, turns - 1)
        else:
            self._late()

    def cancel(self) -> None:
        """Stop the clock."""
        self._timer.cancel()


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` if what is awaited inside takes longer (`Late`)."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        late = Late(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield
        finally:
            late.cancel()
