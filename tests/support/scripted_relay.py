"""A relay that does as it is told, well or badly, over real sockets and real TLS.

Each verb has a reply; instead of one it can cut the connection or say nothing for ever. What clients said is kept,
so that a test can prove what was *not* sent.
"""

import asyncio
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

CUT = "cut"
HANG = "hang"

_DEFAULTS = {
    "BANNER": "220 relay.example ESMTP",
    "EHLO": "250-relay.example\r\n250-SIZE 10000000\r\n250 AUTH PLAIN LOGIN",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "DOT": "250 2.0.0 queued as SCRIPTED1",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


class ScriptedRelay:
    """A relay on a free port of loopback, in a thread of its own.

    `tls` is the context for TLS from the first byte, `starttls` the one for STARTTLS (then it is offered); with
    neither the relay speaks plain text alone. A reply may be a list: one for each time the verb comes, the last for
    good.

    `AUTH LOGIN` goes before `AUTH`; what is said after a 334 is the verb `RESPONSE`. A reply may hold octets that are
    not UTF-8, as surrogates. After `per_connection` mails on a connection, `then` are its replies.

    With a `path` it listens on a unix socket there. `client_serials` are those of the clients' certificates.
    """

    def __init__(
        self,
        replies: Mapping[str, str | list[str]] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        per_connection: int | None = None,
        then: Mapping[str, str] | None = None,
        path: Path | None = None,
    ) -> None:
        self._replies = {
            verb: reply if isinstance(reply, list) else [reply] for verb, reply in (replies or {}).items()
        }
        self._tls = tls
        self._starttls = starttls
        self._per_connection = per_connection
        self._then = then or {}
        self._path = path
        self.client_serials: list[str] = []
        self.commands: list[str] = []
        self.in_clear: list[bytes] = []
        self.mails: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._never = asyncio.Event()
        self._changed = threading.Condition()
        self._times: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = 0 if self._path else self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def verbs(self) -> list[str]:
        """Return the verbs that clients sent, in order."""
        return [command.split()[0].upper() for command in self.commands]

    def wait_for(self, verb: str, count: int = 1, seconds: float = 30.0) -> None:
        """Wait until a verb has come so many times (`CONNECT` counts connections, `DOT` whole mails)."""

        def come() -> bool:
            counted = {"CONNECT": self.connections, "DOT": len(self.mails)}
            return counted.get(verb, self.verbs().count(verb)) >= count

        with self._changed:
            assert self._changed.wait_for(come, seconds), f"{count} x {verb} expected, got {self.commands}"

    async def _listen(self) -> asyncio.Server:
        if self._path is not None:
            return await asyncio.start_unix_server(self._serve, self._path)
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._note(connection=True)
        if certificate := writer.get_extra_info("peercert"):
            self.client_serials.append(certificate["serialNumber"])
        try:
            await self._converse(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted = self._tls is not None
        mails, expects_response = 0, False
        goes_on = await self._answer(writer, "BANNER")
        while goes_on and (line := await reader.readline()):
            if not encrypted:
                self.in_clear.append(line)
            verb = (line.split() or [b"-"])[0].decode(errors="replace").upper()
            self._note(command=line.decode(errors="replace").strip() or "-")
            both = b" ".join(line.split()[:2]).decode(errors="replace").upper()
            if expects_response:
                verb = "RESPONSE"
            elif both in self._replies:
                verb = both
            if mails == self._per_connection and verb in self._then:
                goes_on = await self._say(writer, self._then[verb])
                continue
            expects_response = self._reply(verb, upcoming=True).startswith("334")
            goes_on = await self._answer(writer, verb, offers=self._starttls is not None and not encrypted)
            if verb == "STARTTLS" and self._starttls and goes_on:
                await writer.start_tls(self._starttls)
                encrypted = True
            elif verb == "DATA" and goes_on and self._reply("DATA", peek=True).startswith("354"):
                self._note(mail=await reader.readuntil(b"\r\n.\r\n"))
                is_full = mails == self._per_connection and "DOT" in self._then
                goes_on = await (self._say(writer, self._then["DOT"]) if is_full else self._answer(writer, "DOT"))
                mails += 1

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, *, offers: bool = False) -> bool:
        reply = self._reply(verb)
        if verb == "EHLO" and offers:
            reply = reply.replace("\r\n250 ", "\r\n250-STARTTLS\r\n250 ")
        return await self._say(writer, reply) and verb != "QUIT"

    async def _say(self, writer: asyncio.StreamWriter, reply: str) -> bool:
        """Say a reply, or do what it means; say whether the conversation goes on."""
        if reply == HANG:
            await self._never.wait()
        if reply == CUT:
            return False
        writer.write(f"{reply}\r\n".encode(errors="surrogateescape"))
        await writer.drain()
        return True

    def _reply(self, verb: str, *, peek: bool = False, upcoming: bool = False) -> str:
        script = self._replies.get(verb, [_DEFAULTS.get(verb, "502 5.5.1 what?")])
        time = self._times.get(verb, 0)
        if upcoming:
            return script[min(time, len(script) - 1)]
        if not peek:
            self._times[verb] = time + 1
        return script[min(max(time - 1 if peek else time, 0), len(script) - 1)]

    def _note(self, *, command: str | None = None, mail: bytes | None = None, connection: bool = False) -> None:
        with self._changed:
            if mail is not None:
                self.mails.append(mail)
            self.connections += connection
            if command is not None:
                self.commands.append(command)
            self._changed.notify_all()
