"""What systemd is told of this process: one datagram to `$NOTIFY_SOCKET` for each notification (sd_notify(3)).

Without that variable nothing is sent. Nothing here waits, and nothing raises: a service manager that does not listen
delays no mail.

    READY=1                    the sender works, or stands by
    STATUS=...                 one line for `systemctl status`
    RELOADING=1, then READY=1  the configuration is being read anew, with the time since boot (MONOTONIC_USEC)
    STOPPING=1                 nothing new is begun
    WATCHDOG=1                 all loops turn (`$WATCHDOG_USEC`, sd_watchdog_enabled(3))
    EXTEND_TIMEOUT_USEC=...    it takes longer than usual, and is not stuck
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

_MICROSECONDS = 1_000_000


class Systemd:
    """The service manager that started this process, if one did.

    `watchdog_seconds` is within how many seconds it wants to hear WATCHDOG=1; None if it does not. `is_ready` says
    that it knows that the sender is ready.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.is_there = name.startswith(("/", "@"))
        self.watchdog_seconds = _watchdog(environment) if self.is_there else None
        self.is_ready = False

    def ready(self) -> None:
        """Say that the start is over, or that of a new configuration."""
        self.is_ready = self._send("READY=1")

    def status(self, line: str) -> bool:
        """Show one line; return whether it could be sent."""
        return self._send(f"STATUS={' '.join(line.split())}")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that the configuration is being read anew, for as long as this lasts; during the start, say nothing."""
        if not self.is_ready:
            yield
            return
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            yield
        finally:
            self.ready()

    def beat(self) -> None:
        """Say that all loops turn."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Say that the start goes on, and that there will be more to hear within so many seconds."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * _MICROSECONDS)}")

    def stopping(self, grace_seconds: float) -> None:
        """Say that nothing new is begun, and within how many seconds the process will have ended."""
        self._send("STOPPING=1", "STATUS=stopping", f"EXTEND_TIMEOUT_USEC={round(grace_seconds * _MICROSECONDS)}")

    def _send(self, *assignments: str) -> bool:
        if not self.is_there:
            return False
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(assignments).encode(errors="replace"), self._address)
            return True
        return False


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Return the watchdog's seconds, if it is meant for this process."""
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", "0"))
        is_ours = int(environment.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except ValueError:
        return None
    return microseconds / _MICROSECONDS if is_ours and microseconds > 0 else None
