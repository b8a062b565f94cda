"""What goes over one connection: lines and replies (RFC 5321, section 4.2), on top of aiosmtplib's protocol.

1. Each reply is taken from what has come, in order. Several may come together, and before anybody asks: they answer
   a group of commands (RFC 2920), or nothing at all, which `has_unasked` shows.
2. Replies are read as leniently as Postfix reads them: blank lines count for nothing, and what is no reply line is
   passed over in the middle of a reply. Whatever the bytes are, the text of a reply can be stored and printed.
3. What has come counts before the end of the connection, and before a deadline.
"""

import asyncio
import re
import select

from aiosmtplib.errors import SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import COMMAND_INJECTION_REGEX, MAX_RESPONSE_LENGTH, SMTPProtocol
from aiosmtplib.response import SMTPResponse

from mail_sender.relay import deadlines
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
    """The octets of one connection. aiosmtplib writes, and starts TLS; what comes is read here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._end: Exception | None = None
        self._reading: asyncio.Future[SMTPResponse] | None = None
        self._draining: asyncio.Future[None] | None = None
        self._writers: list[asyncio.WriteTransport] = []
        self._sees_socket = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection."""
        super().connection_made(transport)
        self._response_waiter = None  # aiosmtplib's, which takes one reply at a time
        self.hold_back_nothing()

    def hold_back_nothing(self) -> None:
        """Let a drain return only when all is written; with 0, asyncio's TLS would pause though nothing waits."""
        self._writers = []
        transport = self.transport
        while isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=1, low=0)
            self._writers.append(transport)
            # What TLS has encrypted waits in a transport below, which asyncio shows under no public name.
            transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
        self._sees_socket = len(self._writers) == 1 + self._over_ssl

    def write_commands(self, *lines: str) -> None:
        """Write lines, as one packet. Raises `ValueError` if one holds control characters."""
        for line in lines:
            if COMMAND_INJECTION_REGEX.search(line.encode()):
                raise ValueError("a command holds a control character")
        self.write("".join(f"{line}\r\n" for line in lines).encode())

    def write_body(self, content: bytes) -> bytes:
        """Write content; return what of it is still to be written: its last octet, or nothing where `drained` waits.

        asyncio's TLS hands all that it gets to the transport below at once, and says that nothing waits. Only what is
        written while that one is full makes it say otherwise: the last octet. Mostly the socket takes all; then that
        octet goes out with the dot, in one packet.
        """
        self.write(content[:-1])
        if self._sees_socket and not any(writer.get_write_buffer_size() for writer in self._writers):
            return content[-1:]
        self.write(content[-1:])
        return b""

    @property
    def has_unasked(self) -> bool:
        """Whether something came that answers nothing: nobody could tell whose reply the next one would be."""
        return bool(self._buffer) and bool(self._buffer.strip())

    @property
    def is_over(self) -> bool:
        """Whether the relay has ended the connection, or it broke."""
        return self._end is not None

    @property
    def has_room(self) -> bool:
        """Whether the kernel takes at once what is written now, if it is not long: none of it stays in this process.

        The kernel calls a socket writable while a third of its buffer is free.
        """
        if self.transport is None or any(writer.get_write_buffer_size() for writer in self._writers):
            return False
        poll, number = select.poll(), self.transport.get_extra_info("socket").fileno()
        if number < 0:
            return True  # it is closed: nothing goes out
        poll.register(number, select.POLLOUT)
        return bool(poll.poll(0))

    async def drained(self) -> None:
        """Return when the socket has taken all that was written, or when the relay has said something, or is gone."""
        # What StreamWriter.drain does; a writer of our own would close the connection when it is collected.
        if self._paused and not self.has_unasked and not self.is_over:
            self._draining = self._loop.create_future()
            await self._draining

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:  # noqa: ASYNC109 - aiosmtplib's name
        """Return the next reply, which has so many seconds (None: any time).

        Raises `SMTPResponseException` for what is none, `TimeoutError`, and `SMTPServerDisconnected`.
        """
        if (found := self._taken()) is not None:
            return found
        reading: asyncio.Future[SMTPResponse] = self._loop.create_future()
        self._reading = reading
        late = None if timeout is None else deadlines.Late(timeout, lambda: _fail(reading, TimeoutError()))
        try:
            return await reading
        finally:
            self._reading = None
            if late is not None:
                late.cancel()

    def abort(self) -> None:
        """Drop the connection at once."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Keep what has come, and give a whole reply to who waits for one."""
        if self._end is not None:
            return
        self._buffer += data
        self._stop_draining()
        if len(self._buffer) > MAX_RESPONSE_LENGTH:
            self._buffer.clear()
            self._finish(SMTPResponseException(-1, "too long"))
        elif self._reading is not None and not self._reading.done() and b"\n" in data:
            try:
                found = self._taken()
            except SMTPResponseException as error:
                _fail(self._reading, error)
            else:
                if found is not None:
                    self._reading.set_result(found)

    def resume_writing(self) -> None:
        """Note that all is written."""
        super().resume_writing()
        self._stop_draining()

    def eof_received(self) -> bool:
        """Note that the relay has ended the connection, which is then closed."""
        self._finish(SMTPServerDisconnected("the relay has closed the connection"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        lost = SMTPServerDisconnected("the connection is gone")
        lost.__cause__ = exc
        self._finish(lost)
        super().connection_lost(exc)

    def _finish(self, error: Exception) -> None:
        self._end = self._end or error
        self._stop_draining()
        if self._reading is not None:
            _fail(self._reading, self._end)

    def _stop_draining(self) -> None:
        if self._draining is not None and not self._draining.done():
            self._draining.set_result(None)

    def _taken(self) -> SMTPResponse | None:
        """Take the next reply from what has come, if it is whole. Raises what ended the connection before it was."""
        found = self._read_response_from_buffer() if self._buffer else None
        if found is None and self._end is not None:
            raise self._end
        return found

    def _read_response_from_buffer(self) -> SMTPResponse | None:
        """Take a whole reply from the buffer, if it holds one."""
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


def _fail(reading: asyncio.Future[SMTPResponse], error: Exception) -> None:
    if not reading.done():
        reading.set_exception(error)
