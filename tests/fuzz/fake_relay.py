"""A relay that answers each command as a case says, as the transport of one connection: no socket, no TLS."""

import asyncio
import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from mail_sender.relay.protocol import RelayProtocol

GOOD: Mapping[str, bytes] = {
    "BANNER": b"220 relay.example ESMTP\r\n",
    "EHLO": b"250-relay.example\r\n250-SIZE 10000000\r\n250-STARTTLS\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n",
    "STARTTLS": b"220 go on\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "RESPONSE": b"334 VXNlcm5hbWU6\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go on\r\n",
    "DOT": b"250 2.0.0 queued as FUZZED1\r\n",
    "RSET": b"250 2.0.0 ok\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


_WITH_PIPELINING = GOOD["EHLO"].replace(b"250-SIZE", b"250-PIPELINING\r\n250-SIZE")


class FakeRelay(asyncio.Transport):
    """The relay's end: answers each command as a case says. `is_encrypted` once TLS has begun; `dots` counts mails."""

    def __init__(self, case: Mapping[str, Any], protocol: RelayProtocol, *, encrypted: bool) -> None:
        super().__init__()
        self.is_encrypted = encrypted
        self.dots = 0
        self._offer = _WITH_PIPELINING if case.get("pipelining") else GOOD["EHLO"]
        self._answers = {verb: list(answers) for verb, answers in case["answers"].items()}
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._in_data = self._in_login = self._closed = False

    def greet(self) -> None:
        """Say the greeting."""
        self._answer("BANNER")

    def write(self, data: Any) -> None:
        """Take what the client says."""
        self._buffer += bytes(data)
        while (end := b"\r\n.\r\n" if self._in_data else b"\r\n") in self._buffer:
            line, _, self._buffer = self._buffer.partition(end)
            if self._in_data:
                self.dots += 1
                self._in_data = False
                self._answer("DOT")
            else:
                self._answer(self._verb(line))

    def _verb(self, line: bytes) -> str:
        word = line.split(b" ")[0].decode("latin-1")
        return "RESPONSE" if self._in_login or word not in GOOD else word

    def _answer(self, verb: str) -> None:
        answers = self._answers.get(verb)
        found: dict[str, Any] = (
            answers.pop(0)
            if answers
            else {"reply": self._offer if verb == "EHLO" else GOOD[verb], "pieces": 10**6, "cut": False}
        )
        if verb == "RESPONSE" and not answers and not self._answers.get(verb):
            self._answers.setdefault(verb, [{"reply": GOOD["AUTH"], "pieces": 10**6, "cut": False}])
        reply = found["reply"]
        self._in_login = verb in {"AUTH", "RESPONSE"} and reply.startswith(b"334")
        self._in_data = verb == "DATA" and reply.startswith(b"354")
        size = max(found["pieces"], len(reply) // 50)
        for at in range(0, len(reply), size):
            self._loop.call_soon(self._say, reply[at : at + size])
        if found["cut"]:
            self._loop.call_soon(self.abort)

    def _say(self, octets: bytes) -> None:
        if not self._closed:
            self._protocol.data_received(octets)

    def abort(self) -> None:
        """End the connection."""
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    close = abort

    def is_closing(self) -> bool:
        """Say whether it has ended."""
        return self._closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take all at once."""

    def get_write_buffer_size(self) -> int:
        """Say that nothing waits."""
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Say that TLS has begun, once it has."""
        return _TLS if self.is_encrypted and name in {"ssl_object", "sslcontext"} else default


class _Tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _sslobj = SimpleNamespace(get_unverified_chain=list)

    def version(self) -> str:
        return "TLSv1.3"

    def getpeercert(self) -> None:
        return None


_TLS = _Tls()
