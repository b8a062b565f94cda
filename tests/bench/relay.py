"""A relay for benchmarks: prepared replies, several processes, and a thread for each connection.

1. The processes share one socket that listens. `Conversation` makes replies of octets, and touches no socket.
2. Each turn of replies waits for `--reply-ms` first. Commands that came together (RFC 2920) are answered together, so
   that they share one wait.
3. An accepted mail is one line of `--record`: monotonic nanoseconds, the word `accepted`, recipient, Message-ID. A line is one write(2), so
   that the processes can share the file.

The first line on standard output is JSON: the port, and the ids of the processes.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

END_OF_MAIL = b"\r\n.\r\n"
OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10240000", "AUTH PLAIN LOGIN", "ENHANCEDSTATUSCODES")
_REPLIES = {
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"DATA": b"354 go on\r\n",
    b"AUTH": b"235 2.7.0 welcome\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"NOOP": b"250 2.0.0 ok\r\n",
    b"HELO": b"250 relay.example\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}
_ACCEPTED = b"250 2.0.0 queued as BENCH\r\n"
_PAUSE = threading.Event()  # never set
_UNKNOWN = b"502 5.5.1 what?\r\n"


@dataclass(frozen=True, slots=True)
class Taken:
    """An accepted mail."""

    recipient: str
    message_id: str


class Conversation:
    """What a relay says on one connection, from EHLO on."""

    def __init__(self, offers: tuple[str, ...] = OFFERS) -> None:
        lines = ("relay.example", *offers)
        parts = ("250" + ("-" if number < len(lines) - 1 else " ") + line for number, line in enumerate(lines))
        self._ehlo = "".join(f"{part}\r\n" for part in parts).encode()
        self._pending = b""
        self._recipient = ""
        self._in_mail = False
        self.taken: list[Taken] = []
        self.has_ended = False

    def receive(self, octets: bytes) -> bytes:
        """Take octets in, and return the replies to all that is complete; new mails are in `taken`."""
        self._pending += octets
        replies = []
        while not self.has_ended:
            end = self._pending.find(END_OF_MAIL if self._in_mail else b"\r\n")
            if end < 0:
                break
            part, size = self._pending[:end], len(END_OF_MAIL if self._in_mail else b"\r\n")
            self._pending = self._pending[end + size :]
            replies.append(self._take(part) if self._in_mail else self._answer(part))
        return b"".join(replies)

    def _take(self, mail: bytes) -> bytes:
        self._in_mail = False
        begin = mail.lower().find(b"message-id:") + len(b"message-id:")
        message_id = mail[begin : mail.find(b"\r\n", begin)].strip()
        self.taken.append(Taken(self._recipient, message_id.decode()))
        return _ACCEPTED

    def _answer(self, command: bytes) -> bytes:
        verb = command[:4].upper()
        if verb == b"EHLO":
            return self._ehlo
        if verb == b"RCPT":
            self._recipient = command[command.find(b"<") + 1 : command.find(b">")].decode()
        self._in_mail, self.has_ended = verb == b"DATA", verb == b"QUIT"
        return _REPLIES.get(verb, _UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Options:
    record: int
    wait: float
    context: ssl.SSLContext | None
    offers: tuple[str, ...]


def _serve(connection: socket.socket, options: _Options) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if options.context:
            connection = options.context.wrap_socket(connection, server_side=True)
        with connection:
            _converse(connection, options)


def _converse(connection: socket.socket, options: _Options) -> None:
    conversation, replies = Conversation(options.offers), b"220 relay.example ESMTP\r\n"
    while True:
        if replies:
            if options.wait:
                _PAUSE.wait(options.wait)
            _record(conversation.taken, options.record)
            connection.sendall(replies)
        if conversation.has_ended or not (octets := connection.recv(65_536)):
            return
        replies = conversation.receive(octets)


def _record(taken: list[Taken], record: int) -> None:
    for one in taken:
        os.write(record, f"{time.monotonic_ns()} accepted {one.recipient} {one.message_id}\n".encode())
    taken.clear()


def _accept(listening: socket.socket, options: _Options) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, options), daemon=True).start()


def main() -> None:
    """Serve until a SIGTERM, or until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--certificate", type=Path, help="PEM with key; without it the relay speaks plain text")
    parser.add_argument("--reply-ms", type=float, default=0.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--without", action="append", default=[], help="an extension that is not offered")
    given = parser.parse_args()
    context = None
    if given.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.certificate)
    offers = tuple(offer for offer in OFFERS if offer.split()[0] not in given.without)
    record = os.open(given.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    options = _Options(record, given.reply_ms / 1000, context, offers)
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    children = []
    for _ in range(given.processes):
        if not (child := os.fork()):
            _accept(listening, options)
        children.append(child)
    sys.stdout.write(json.dumps({"port": listening.getsockname()[1], "pids": children}) + "\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        sys.stdin.read()
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()
