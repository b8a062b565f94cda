"""How a test asks a control socket."""

import asyncio
from collections.abc import Callable
from typing import Any

from mail_sender.control.command import Command
from mail_sender.control.connection import ask, connect
from mail_sender.control.response import ResponseLine
from mail_sender.ledger.state_folder import StateFolder

LIST = Command("list")


def asked(state: StateFolder, command: Command) -> list[ResponseLine]:
    """Return a sender's response."""
    connection = connect(state)
    assert connection is not None
    return list(ask(connection, command))


async def in_a_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Do what blocks beside the loop."""
    async with asyncio.timeout(20):
        return await asyncio.to_thread(call, *arguments)
