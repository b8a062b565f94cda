"""The nursery: a process that forks others, so that hundreds of senders can live and die within minutes.

Starting a Python with all its imports takes half a second; forking one that has them takes a few milliseconds. A
process with threads or an event loop must not fork, so the nursery is a process of its own that has neither: it gets
a `Life` and two sockets for each child, forks, and watches. It alone ends its children, by their pids, and only as
long as it has not waited for them, so that no other process is ever hit.

    child = nursery().bear(life)
    child.end(signal.SIGKILL)
    status = await child.ended()        # as os.waitstatus_to_exitcode gives it
    child.said                          # all that it wrote to its standard streams
"""

import asyncio
import atexit
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CHUNK = 65536
_ROOT = Path(__file__).parents[2]


class Child:
    """A forked process, from its parent's side."""

    def __init__(self, control: socket.socket, streams: socket.socket) -> None:
        self.said = b""
        self._control = control
        self._streams = streams
        for end in (control, streams):
            end.setblocking(False)

    def end(self, number: signal.Signals) -> None:
        """Send it a signal, if it still lives."""
        with contextlib.suppress(OSError):
            self._control.send(bytes([number]))

    async def ended(self, seconds: float = 60.0) -> int:
        """Wait for its end, and return its exit code, or the negative number of the signal that ended it.

        Raises `TimeoutError` after so many seconds; it is killed then.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                while octets := await loop.sock_recv(self._streams, _CHUNK):
                    self.said += octets
                try:
                    return int(await loop.sock_recv(self._control, _CHUNK))
                except ConnectionResetError:  # of a signal that came too late; the answer is behind it (unix(7))
                    return int(await loop.sock_recv(self._control, _CHUNK))
        finally:
            self.end(signal.SIGKILL)
            self._control.close()
            self._streams.close()


class Nursery:
    """The other process, from here; it ends when this one does."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.faults.killing", str(theirs.fileno())]
            # In an image, this process has been told where the modules of the tests are.
            modules = os.pathsep.join(path for path in sys.path if path)
            environment = {**os.environ, "PYTHONPATH": modules}
            self._process = subprocess.Popen(command, cwd=_ROOT, env=environment, pass_fds=[theirs.fileno()])

    def bear(self, life: str) -> Child:
        """Have a process forked that leads this life."""
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        streams, their_streams = socket.socketpair()
        with their_control, their_streams:
            socket.send_fds(self._requests, [life.encode()], [their_control.fileno(), their_streams.fileno()])
        return Child(control, streams)

    def close(self) -> None:
        """End it, and its children with it."""
        self._requests.close()
        self._process.wait()


def nursery() -> Nursery:
    """Return this process's nursery, not the one of the process that it was forked from."""
    return _nursery_of(os.getpid())


@cache
def _nursery_of(_pid: int) -> Nursery:
    opened = Nursery()
    atexit.register(opened.close)
    return opened


# From here on: the other process


@dataclass(frozen=True)
class Request:
    """A life to be led, and the ends of the child's sockets."""

    life: str
    control: socket.socket
    streams: int


class Ward:
    """The forking process: takes requests until their socket is closed. `live` runs in the child, and returns a code."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._watched = selectors.DefaultSelector()
        self._watched.register(requests, selectors.EVENT_READ)
        self._cradles: dict[int, tuple[int, socket.socket]] = {}  # by pidfd: pid, control

    def next_request(self) -> Request | None:
        """Watch over the children until somebody wants another one; None at the end."""
        while True:
            for key, _ in self._watched.select():
                if key.fileobj is self._requests:
                    return self._request()
                self._look_after(key)

    def keep(self, pid: int, request: Request) -> None:
        """Watch over a child that was just forked."""
        os.close(request.streams)
        pidfd = os.pidfd_open(pid)
        self._cradles[pidfd] = (pid, request.control)
        self._watched.register(pidfd, selectors.EVENT_READ, pidfd)
        self._watched.register(request.control, selectors.EVENT_READ, pidfd)

    def close(self) -> None:
        """End all children."""
        for pidfd, (pid, _) in self._cradles.items():
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _request(self) -> Request | None:
        life, ends, _, _ = socket.recv_fds(self._requests, 2 * _CHUNK, 2)
        return Request(life.decode(), socket.socket(fileno=ends[0]), ends[1]) if life else None

    def _look_after(self, key: selectors.SelectorKey) -> None:
        pidfd: int = key.data
        if pidfd not in self._cradles:
            return  # it ended in this very round
        if key.fileobj == pidfd:
            self._bury(pidfd)
            return
        numbers = self._cradles[pidfd][1].recv(_CHUNK)
        if not numbers:
            self._watched.unregister(key.fileobj)
        for number in numbers or [signal.SIGKILL]:
            signal.pidfd_send_signal(pidfd, number)

    def _bury(self, pidfd: int) -> None:
        pid, control = self._cradles.pop(pidfd)
        _, status = os.waitpid(pid, 0)
        self._watched.unregister(pidfd)
        with contextlib.suppress(KeyError):
            self._watched.unregister(control)
        with control, contextlib.suppress(OSError):
            control.send(str(os.waitstatus_to_exitcode(status)).encode())
        os.close(pidfd)
