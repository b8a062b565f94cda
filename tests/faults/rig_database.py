"""What stands between a sender and its database: a proxy on a unix socket of its own, which cuts, holds, loses and delays.

It knows nothing of what passes, but in which direction. `server` may be the campaign's, which other cases use as well,
or one of the case's own, which it may stop and kill.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.postgres import Postgres

_CHUNK = 65536
_SLOW = 0.05
"""Seconds that a slow network takes for what is sent at once."""


class DatabaseProxy:
    """A proxy before a PostgreSQL; `folder` is where its socket lies, on the port of the server."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.folder = folder
        self._port = server.port
        self._server = f"{server.folder}/.s.PGSQL.{server.port}"
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._refuses = self._loses_answers = self._is_slow = False
        self._carried: set[asyncio.Task[None]] = set()
        self.taken = 0

    async def listen(self) -> None:
        """Take connections from now on."""
        self._listener = await asyncio.start_unix_server(self._carry, f"{self.folder}/.s.PGSQL.{self._port}")

    async def close(self) -> None:
        """End it, and all connections."""
        self._listener.close()
        await self.cut()

    async def cut(self) -> None:
        """End all connections; new ones are taken."""
        tasks = list(self._carried)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refuse(self) -> None:
        """End all connections, and each new one."""
        self._refuses = True
        await self.cut()

    async def hold(self) -> None:
        """Hold everything up: the connections stay, and nothing comes through."""
        self._goes_on.clear()

    async def lose_answers(self) -> None:
        """Let requests through, and end the connection when the server answers."""
        self._loses_answers = True

    async def be_slow(self) -> None:
        """Take a while for each piece."""
        self._is_slow = True

    async def mend(self) -> None:
        """Carry everything again; what was held comes through."""
        self._refuses = self._loses_answers = self._is_slow = False
        self._goes_on.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carried.add(task)
        self.taken += 1
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._between(reader, writer)
        finally:
            self._carried.discard(task)
            writer.transport.abort()

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            return
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        try:
            ways = (self._pump(reader, to_server), self._pump(from_server, writer, are_answers=True))
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in tasks:
                    one.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            to_server.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, are_answers: bool = False
    ) -> None:
        while octets := await source.read(_CHUNK):
            await self._goes_on.wait()
            if are_answers and self._loses_answers:
                return
            if self._is_slow:
                await asyncio.sleep(_SLOW)
            sink.write(octets)
            await sink.drain()


@asynccontextmanager
async def proxy_before(server: Postgres) -> AsyncIterator[DatabaseProxy]:
    """Run a proxy before a server."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as name:
        proxy = DatabaseProxy(server, Path(name))
        await proxy.listen()
        try:
            yield proxy
        finally:
            await proxy.close()


def processes(server: Postgres) -> list[int]:
    """Return a server's first process, and the others that it has started, in that order."""
    return [server.first_process, *_children(server.first_process)]


def _children(of: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == of:
                yield int(stat.parent.name)


def freeze(server: Postgres, *, frozen: bool) -> None:
    """Stop a server with SIGSTOP, all of it, or let it go on."""
    for process in processes(server):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP if frozen else signal.SIGCONT)
