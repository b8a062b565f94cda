"""A service manager of a test's own: a socket that takes notifications as systemd does."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

DEADLINE = 30.0
"""Seconds within which a notification must come; it is no measure of speed."""


class ServiceManager:
    """Takes notifications; `address` is what `$NOTIFY_SOCKET` names."""

    def __init__(self, socket_: socket.socket, address: str) -> None:
        self._socket = socket_
        self.address = address
        self.heard: list[str] = []

    @classmethod
    @contextmanager
    def listening(cls, place: Path | str) -> Iterator[Self]:
        """Listen at a path, or at an abstract name that begins with @."""
        address = str(place)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
            made.bind(f"\0{address[1:]}" if address.startswith("@") else address)
            made.settimeout(DEADLINE)
            yield cls(made, address)

    def environment(self, watchdog_seconds: float | None = None) -> Mapping[str, str]:
        """Return what systemd puts into the environment of a service."""
        watchdog = {} if watchdog_seconds is None else {"WATCHDOG_USEC": str(round(watchdog_seconds * 1e6))}
        return {"NOTIFY_SOCKET": self.address} | watchdog

    def next(self) -> str:
        """Return the next notification, as it came. Raises `TimeoutError`."""
        self.heard.append(self._socket.recv(65536).decode())
        return self.heard[-1]

    def wait_for(self, start: str) -> str:
        """Return the next notification that begins so; those before it are in `heard`."""
        until = time.monotonic() + DEADLINE
        while not (found := self.next()).startswith(start):
            assert time.monotonic() < until, f"{start} expected; heard: {self.heard}"
        return found

    def once(self, start: str) -> str:
        """Return a notification that begins so, whether it came before now or comes next."""
        return next((one for one in self.heard if one.startswith(start)), "") or self.wait_for(start)

    def within(self, seconds: float) -> list[str]:
        """Return what has come so many seconds from now; for 0, what is there."""
        found, until = [], time.monotonic() + seconds
        try:
            while True:
                self._socket.settimeout(max(until - time.monotonic(), 0.0))
                found.append(self.next())
        except (BlockingIOError, TimeoutError):
            self._socket.settimeout(DEADLINE)
        return found


def abstract_name() -> str:
    """Return an abstract name that no other test has."""
    return f"@mail-sender-test-{os.getpid()}-{os.urandom(4).hex()}"
