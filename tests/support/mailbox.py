"""A mailbox behind a mail server: an LMTP server (RFC 2033) on loopback that keeps what it is given in memory.

LMTP and not a folder of files, because a test can then wait for the arrival itself, and because the mail server's
unprivileged processes need no folder that they may write to. A mail is known by the queue id that the server gave it
when it accepted it: the server may hand it over twice when it is stopped in between, and that is still one mail.
"""

import re
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_RECEIVED_ID = re.compile(rb"^Received:.*?\bid (\w+)", re.DOTALL)


class Mailbox:
    """Takes mail on `port` of 127.0.0.1, in threads of its own, from `with` to the end of the block."""

    def __init__(self) -> None:
        self._mails: dict[tuple[bytes, bytes], bytes] = {}
        self._arrival = threading.Condition()
        self._server = _Server(self)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="mailbox").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, recipient: bytes, content: bytes) -> None:
        """Keep a mail for one recipient, as it arrived; a second copy of the same queue entry replaces the first."""
        queue_id = _RECEIVED_ID.match(content)
        assert queue_id, "a mail without a Received field of the server in front"
        with self._arrival:
            self._mails[queue_id[1], recipient] = content
            self._arrival.notify_all()

    def mails(self, at_least: int = 0, within: float = 10.0) -> list[bytes]:
        """All mails in the order of their arrival, as soon as there are `at_least` so many.

        Raises AssertionError when they are not there `within` so many seconds.
        """
        with self._arrival:
            enough = self._arrival.wait_for(lambda: len(self._mails) >= at_least, within)
            assert enough, f"{len(self._mails)} of {at_least} mails arrived within {within:g} s"
            return list(self._mails.values())

    def empty(self) -> None:
        """Forget all mails."""
        with self._arrival:
            self._mails.clear()


class _Server(socketserver.ThreadingTCPServer):
    """Listens on a free port; a conversation that hangs must not hang the end of a test."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mailbox = mailbox


class _Conversation(socketserver.StreamRequestHandler):
    """One LMTP connection: says yes to every command, and after DATA once for each recipient (RFC 2033, 4.2)."""

    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):  # a mail server that is stopped cuts its connections
            self._converse()

    def _converse(self) -> None:
        recipients: list[bytes] = []
        self._say(b"220 mailbox LMTP")
        while line := self.rfile.readline().strip():
            verb, _, argument = line.partition(b" ")
            match verb.upper():
                case b"LHLO":
                    self._say(b"250-mailbox\r\n250-8BITMIME\r\n250 SMTPUTF8")
                case b"QUIT":
                    return self._say(b"221 2.0.0 bye")
                case b"RCPT":
                    recipients.append(argument.partition(b"<")[2].partition(b">")[0])
                    self._say(b"250 2.1.5 ok")
                case b"DATA":
                    self._take(recipients)
                    recipients.clear()
                case b"RSET":
                    recipients.clear()
                    self._say(b"250 2.0.0 ok")
                case _:
                    self._say(b"250 2.0.0 ok")
        return None

    def _take(self, recipients: list[bytes]) -> None:
        self._say(b"354 go on")
        content = b"".join(line.removeprefix(b".") for line in iter(self.rfile.readline, b".\r\n"))
        for recipient in recipients:
            self.server.mailbox.put(recipient, content)
            self._say(b"250 2.0.0 kept")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
