"""How long each step of a conversation with the relay may take, in seconds, and how a step is held to it.

The name, the connection and TLS have `mail_connect_timeout_seconds` of the configuration each.
"""

import asyncio
from collections.abc import AsyncIterator
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


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` if what is awaited inside takes longer; but what has arrived is read first.

    A process that was stopped for longer than the deadline finds a late clock and a reply that waits in the socket.
    `asyncio.timeout` looks at the clock alone, and would take that reply for none.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.Handle = loop.call_later(seconds, lambda: judge(_TURNS))

    def judge(turns: int) -> None:
        nonlocal timer
        if turns:
            timer = loop.call_soon(judge, turns - 1)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        try:
            yield
        finally:
            timer.cancel()
