"""A DNS server on a free port of loopback, UDP and TCP: it answers from a table, well or badly.

A row is a name and a type; its values are the records in the form of zone files. CNAMEs are followed within the table,
as a recursive resolver does. A name without any row does not exist.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Self, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVFAIL = "SERVFAIL"
REFUSED = "REFUSED"
SILENT = "SILENT"

Rows = Mapping[tuple[str, str], Sequence[str] | str]
"""Records by name and type, or one of the bad answers; the type `*` stands for all types."""

_TTL = 60


class DnsServer:
    """A server in a thread of its own. `asked` is every question, `over_tcp` those that came over TCP."""

    def __init__(self, rows: Rows) -> None:
        self._rows = {(name.lower(), kind): value for (name, kind), value in rows.items()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dns-server", daemon=True)
        self.asked: list[tuple[str, str]] = []
        self.over_tcp: list[tuple[str, str]] = []
        self.port = 0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> int:
        for _ in range(20):  # another program may hold the UDP port of the same number
            self._tcp = await asyncio.start_server(self._talk, "127.0.0.1", 0)
            port = int(self._tcp.sockets[0].getsockname()[1])
            try:
                self._udp, _ = await self._loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=("127.0.0.1", port)
                )
            except OSError:
                self._tcp.close()
                continue
            return port
        raise AssertionError("no port is free for both UDP and TCP")

    async def _stop(self) -> None:
        self._udp.close()
        self._tcp.close()
        await asyncio.sleep(0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await reader.readexactly(2), "big")
            reply = self.reply(await reader.readexactly(size), is_tcp=True)
            if reply:
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def reply(self, octets: bytes, *, is_tcp: bool) -> bytes | None:
        """Return the reply to a query, or None for silence."""
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if is_tcp:
            self.over_tcp.append((name, kind))
        response = dns.message.make_response(query, recursion_available=True)
        found = self._rows.get((name, kind), self._rows.get((name, "*"), ()))
        if found == SILENT:
            return None
        if isinstance(found, str):
            response.set_rcode(dns.rcode.from_text(found))
            return response.to_wire()
        self._fill(response, name, kind)
        if is_tcp:
            return response.to_wire(max_size=65535)
        wire = response.to_wire(max_size=65535)
        if len(wire) > max(query.payload, 512):
            cut = dns.message.make_response(query, recursion_available=True)
            cut.flags |= dns.flags.TC
            return cut.to_wire()
        return wire

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """Put the records of a name into a response, through its CNAMEs."""
        for _ in range(10):
            alias = self._rows.get((name, "CNAME"), ())
            for one, records in ((kind, self._rows.get((name, kind), ())), ("CNAME", alias)):
                if records and not isinstance(records, str) and (one == kind or kind != "CNAME"):
                    owner = dns.name.from_text(name + ".")
                    response.answer.append(dns.rrset.from_text(owner, _TTL, "IN", one, *records))
            if not alias or isinstance(alias, str):
                break
            name = alias[0].rstrip(".").lower()
        if not any(row == name or row.endswith("." + name) for row, _ in self._rows):
            response.set_rcode(dns.rcode.NXDOMAIN)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._server.reply(data, is_tcp=False)
        if reply:
            self._transport.sendto(reply, addr)


def txt(*strings: str) -> str:
    """Return the strings of one TXT record as a zone file has them, each split at 255 characters."""
    parts = [string[start : start + 255] for string in strings for start in range(0, max(len(string), 1), 255)]
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
