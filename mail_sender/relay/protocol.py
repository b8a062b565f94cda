"""What goes over one connection: lines and replies (RFC 5321, section 4.2), on top of aiosmtplib's protocol.

Replies are read as leniently as Postfix reads them: blank lines count for nothing, and what is no reply line is
passed over in the middle of a reply. Whatever the bytes are, the text of a reply can be stored and printed.
"""

import asyncio
import re
from typing import Any

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from mail_sender.verdict import Reply

_REPLY_LINE = re.compile(rb"(\d{3})(?!\d)(-?)(.*)", re.DOTALL)


class Rejected(Exception):
    """The relay's reply was not the one that the step needs."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def is_expected(wanted: int, code: int) -> bool:
    """Say whether a code is the wanted one, or begins with the wanted digit.

    The first digit alone counts (RFC 5321, section 4.2); but what follows a 334 is not what follows a 354.
    """
    return wanted == (code if wanted >= 100 else code // 100)


class RelayProtocol(SMTPProtocol):
    """The octets of one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection."""
        super().connection_made(transport)
        self.hold_back_nothing()

    def hold_back_nothing(self) -> None:
        """Let a drain return only when all is written; with 0, asyncio's TLS would pause though nothing waits."""
        transport = self.transport
        while isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=1, low=0)
            # What TLS has encrypted waits in a transport below, which asyncio shows under no public name.
            transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)

    def write_body(self, content: bytes) -> None:
        """Write content such that `drained` waits for it.

        asyncio's TLS hands all that it gets to the transport below at once, and says that nothing waits. Only what is
        written while that one is full makes it say otherwise: the last octet.
        """
        self.write(content[:-1])
        self.write(content[-1:])

    @property
    def has_unasked(self) -> bool:
        """Whether something came that answers nothing: nobody could tell whose reply the next one would be."""
        # aiosmtplib drops what arrives between commands, but keeps what came in one packet with a reply.
        return bool(self._buffer)

    async def drained(self, reading: "asyncio.Future[SMTPResponse]") -> None:
        """Return when the socket has taken all that `write_body` wrote, or when the relay has answered before."""
        # What StreamWriter.drain does; a writer of our own would close the connection when it is collected.
        draining = asyncio.ensure_future(self._drain_helper())
        both: set[asyncio.Future[Any]] = {draining, reading}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if draining.done():
                draining.result()
        finally:
            draining.cancel()

    def abort(self) -> None:
        """Drop the connection at once."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def _read_response_from_buffer(self) -> SMTPResponse | None:
        """Take a whole reply from the buffer, if it holds one; aiosmtplib calls this whenever something came."""
        texts: list[bytes] = []
        end = 0
        while (line_end := self._buffer.find(b"\n", end) + 1) > 0:
            line = bytes(self._buffer[end:line_end]).strip()
            end = line_end
            found = _REPLY_LINE.fullmatch(line)
            if found is None:
                if line and not texts:
                    raise SMTPResponseException(-1, "not a reply")
                continue
            texts.append(found[3].strip())
            if not found[2]:
                del self._buffer[:end]
                if not self._buffer.strip():
                    self._buffer.clear()
                return SMTPResponse(int(found[1]), b"\n".join(texts).decode(errors="replace"))
        return None
