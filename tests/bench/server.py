"""An identity server for benchmarks: the queue of `entries`, with prepared answers, and a thread for each connection.

1. A list is answered as Kanidm does it (docs/kanidm-wire.md, Listing the queue): all in one answer, and from 16,384
   unsent messages on in pages only.
2. A mark takes `--mark-ms`; all marks together go at `--marks-per-second` at most, one after the other, as in a real
   server, which writes one at a time.
3. Each mark is a line of `--record`: monotonic nanoseconds, the word `marked`, the message's id. So is each message
   that was queued by `fresh`, when its entry is sent for the first time (`listed`), and each list when all of it has
   been sent (`list`, and the number of messages that it had, the last page's where it had pages).
4. Standard input takes commands: `queue N` queues N messages at once; `fresh N SECONDS` queues N one by one, each so
   long after the one before.

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
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.bench.entries import entry, message_id

MOST_LISTED = 16_383
_PIECE = 16_384  # octets
_PAUSE = threading.Event()  # never set
_STATUS = {200: b"200 OK", 404: b"404 Not Found", 500: b"500 Internal Server Error"}
_SELF = (
    b'{"youare":{"attrs":{"name":["mail-sender"],"memberof":["idm_message_senders@idm.example.com",'
    b'"idm_all_accounts@idm.example.com","idm_high_privilege@idm.example.com"]}}}'
)
_ACCESS = (
    b'{"schemas":[],"id":"d1c0a7a6-0000-4000-8000-000000000001","extAccessCheck":{"modifyPresent":{"Allow":[]}}}'
)
_LIST = b'{"schemas":[],"totalResults":%d,"resources":[%s]}'
_PAGE = b'{"schemas":[],"totalResults":%d,"itemsPerPage":%d,"startIndex":%d,"resources":[%s]}'


class Queue:
    """The unsent messages, and the record of what became of them."""

    def __init__(self, record: int, per_second: float, mark_seconds: float) -> None:
        self._record = record
        self._each = 1 / per_second if per_second else 0.0
        self._mark_seconds = mark_seconds
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._unsent: dict[str, bytes] = {}
        self._fresh: set[str] = set()
        self._queued = 0

    def add(self, count: int, *, is_fresh: bool = False) -> None:
        """Queue so many messages, all at once."""
        now = datetime.now(UTC)
        numbers = range(self._queued, self._queued + count)
        made = {message_id(number): entry(number, now) for number in numbers}
        self._queued += count
        with self._lock:
            self._unsent.update(made)
            if is_fresh:
                self._fresh.update(made)

    def listed(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        """Return the status and the body of a list, or of a page of it."""
        with self._lock:
            ids = list(self._unsent)
            if "count" in query:
                count, start = int(query["count"][0]), int(query["startIndex"][0])
                ids = ids[start - 1 : start - 1 + count]
                body = b",".join([self._unsent[one] for one in ids])
                return 200, _PAGE % (len(self._unsent), len(ids), start, body)
            if len(ids) > MOST_LISTED:
                return 500, b'"backend"'
            return 200, _LIST % (len(ids), b",".join(self._unsent.values()))

    def send_list(self, send: Callable[[bytes], object], body: bytes) -> None:
        """Send a list, or a page of it, piece by piece, and record when each entry was sent, and all of it."""
        with self._lock:
            found = {one: place for one in self._fresh if (place := body.find(one.encode())) >= 0}
            self._fresh.difference_update(found)
        lines = []
        for start in range(0, len(body), _PIECE):
            send(body[start : start + _PIECE])
            at = time.monotonic_ns()
            lines += [f"{at} listed {one}\n" for one, place in found.items() if start <= place < start + _PIECE]
        if _ends_a_list(body):
            lines.append(f"{time.monotonic_ns()} list {body.count(b'send_after')}\n")
        self._write("".join(lines))

    def read(self, message: str) -> tuple[int, bytes]:
        """Return the status and the body of one message."""
        body = self._unsent.get(message)
        return (404, b'"nomatchingentries"') if body is None else (200, body)

    def mark(self, message: str) -> tuple[int, bytes]:
        """Mark a message, and return the status and the body; it takes its time."""
        if self._each or self._mark_seconds:
            _PAUSE.wait(self._wait())
        with self._lock:
            was_there = self._unsent.pop(message, None) is not None
        if was_there:
            self._write(f"{time.monotonic_ns()} marked {message}\n")
        return 200, b"null"

    def _wait(self) -> float:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + self._each
            return max(self._free_at - now, self._mark_seconds)

    def _write(self, lines: str) -> None:
        os.write(self._record, lines.encode())


def _ends_a_list(body: bytes) -> bool:
    facts = json.loads(body[: body.index(b',"resources"')] + b"}")
    return "startIndex" not in facts or facts["startIndex"] + facts["itemsPerPage"] > facts["totalResults"]


def _answer(queue: Queue, method: bytes, target: str) -> tuple[int, bytes]:
    parts = urlsplit(target)
    path = parts.path.removeprefix("/scim/v1/Message")
    if parts.path == "/v1/self":
        return 200, _SELF
    if parts.path.startswith("/scim/v1/Entry/"):
        return 200, _ACCESS
    if path in {"/_ready", ""}:
        return queue.listed(parse_qs(parts.query))
    if method == b"POST" and path.endswith("/_sent"):
        return queue.mark(path[1 : -len("/_sent")])
    return queue.read(path[1:])


def _head(status: int, length: int) -> bytes:
    return (
        b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nx-kanidm-version: 1.12.0-dev\r\n"
        b"x-kanidm-opid: 4d8fa597-8a87-46ec-b087-68e044c1675f\r\ncontent-length: %d\r\ndate: %s\r\n\r\n"
    ) % (_STATUS[status], length, formatdate(usegmt=True).encode())


def _serve(connection: socket.socket, context: ssl.SSLContext, queue: Queue) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(connection, server_side=True) as stream:
            _exchange(stream, queue)


def _exchange(stream: ssl.SSLSocket, queue: Queue) -> None:
    pending = b""
    while True:
        while (end := pending.find(b"\r\n\r\n")) < 0:
            if not (octets := stream.recv(65_536)):
                return
            pending += octets
        head, pending = pending[:end], pending[end + 4 :]
        length = _length(head)
        while len(pending) < length:
            if not (octets := stream.recv(65_536)):
                return
            pending += octets
        pending = pending[length:]
        method, target, _ = head.partition(b"\r\n")[0].split(b" ")
        status, body = _answer(queue, method, target.decode())
        if b'"resources"' in body[:100]:
            stream.sendall(_head(status, len(body)))
            queue.send_list(stream.sendall, body)
        else:
            stream.sendall(_head(status, len(body)) + body)


def _length(head: bytes) -> int:
    found = head.lower().find(b"\r\ncontent-length:")
    return 0 if found < 0 else int(head[found + 17 :].partition(b"\r\n")[0])


def _obey(queue: Queue, line: str) -> None:
    verb, count, *rest = line.split()
    if verb == "queue":
        queue.add(int(count))
        sys.stdout.write("done\n")
        sys.stdout.flush()
        return
    threading.Thread(target=_trickle, args=(queue, int(count), float(rest[0])), daemon=True).start()


def _trickle(queue: Queue, count: int, seconds: float) -> None:
    for _ in range(count):
        queue.add(1, is_fresh=True)
        _PAUSE.wait(seconds)


def _accept(listening: socket.socket, context: ssl.SSLContext, queue: Queue) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, context, queue), daemon=True).start()


def main() -> None:
    """Serve until a SIGTERM, or until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--marks-per-second", type=float, default=0.0)
    parser.add_argument("--mark-ms", type=float, default=0.0)
    given = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.certificate)
    record = os.open(given.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    queue = Queue(record, given.marks_per_second, given.mark_ms / 1000)
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=_accept, args=(listening, context, queue), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    sys.stdout.write(json.dumps({"port": listening.getsockname()[1], "pids": [os.getpid()]}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        _obey(queue, line)


if __name__ == "__main__":
    main()
