"""An event loop that no hanging name look-up can keep from ending.

asyncio looks names up on a pool of threads, and waits for them when it ends: a resolver that does not answer then
holds the process for as long as it likes. Here each look-up runs on a daemon thread, which the interpreter
leaves behind. Both the conversation with the relay and the client of the identity server ask the loop. Look-ups of
the same name share one thread, so that a dead resolver collects one thread a name, not one a try.
"""

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any


class ResolvingLoop(asyncio.SelectorEventLoop):
    """A selector event loop with look-ups on daemon threads."""

    def __init__(self) -> None:
        super().__init__()
        self._in_flight: dict[tuple[object, ...], asyncio.Future[Any]] = {}

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name for it
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Return what `socket.getaddrinfo` does; cancelling it abandons its thread."""
        question = (host, port, family, type, proto, flags)
        if question not in self._in_flight:
            self._in_flight[question] = self._ask(question)
        return await asyncio.shield(self._in_flight[question])

    def _ask(self, question: tuple[Any, ...]) -> asyncio.Future[Any]:
        found: Future[Any] = Future()
        answer = asyncio.wrap_future(found, loop=self)

        def look_up() -> None:
            try:
                found.set_result(socket.getaddrinfo(*question))
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                found.set_exception(error)

        def finish(_: asyncio.Future[Any]) -> None:
            del self._in_flight[question]
            answer.exception()  # whoever asked may be gone

        answer.add_done_callback(finish)
        found.set_running_or_notify_cancel()  # nobody can cancel it any more
        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return answer
