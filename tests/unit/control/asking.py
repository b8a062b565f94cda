"""How a test asks a control socket."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
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


def answering(
    state: StateFolder, answer: bytes, *, hang: threading.Event | None = None, every: float = 0.0
) -> threading.Thread:
    """Answer one client with these bytes, and close, or hang; with `every`, one after the other in so many seconds."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state.control))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(1000)
            if every:
                with suppress(OSError):  # it has gone
                    for octet in answer:
                        client.sendall(bytes([octet]))
                        threading.Event().wait(every)
            else:
                client.sendall(answer)
            if hang is not None:
                hang.wait(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread
