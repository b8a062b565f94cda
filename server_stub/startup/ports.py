"""The four ports of a running stub, and the sockets behind them.

All four are bound before anything is written or started, so that a port that is taken changes nothing in DIR.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import asdict, dataclass

from server_stub.errors import StubError

FLAGS = {"api": "--port", "smtps": "--smtps-port", "smtp": "--smtp-port", "web": "--web-port"}


@dataclass(frozen=True)
class Ports:
    """Port numbers by service; 0 asks for any free one."""

    api: int
    smtps: int
    smtp: int
    web: int


def bind(host: str, wanted: Ports) -> dict[str, socket.socket]:
    """Bind all ports on `host`. Raises StubError naming the first one that cannot be had."""
    bound: dict[str, socket.socket] = {}
    try:
        for service, port in asdict(wanted).items():
            bound[service] = _bind_one(host, port, FLAGS[service])
    except StubError:
        for listener in bound.values():
            listener.close()
        raise
    return bound


def _bind_one(host: str, port: int, flag: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            cure = f"choose another port with {flag}; 0 means any free one"
        else:
            cure = "give an address of this machine with --host"
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise StubError(f"Cannot listen on {host} port {port} ({why}): {cure}.") from error
    except UnicodeError as error:
        raise StubError(f"{host!r} is not a valid name: give an address of this machine with --host.") from error
    # asyncio does this only for sockets that it opened itself; without it each answer in two parts waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def reached_at(host: str) -> str:
    """Return by what name the machine reaches what listens on `host`, as it stands in a URL."""
    if host in {"127.0.0.1", "0.0.0.0", "::"}:  # noqa: S104 - a name to compare with
        return "localhost"
    return f"[{host}]" if ":" in host else host


def numbers(bound: dict[str, socket.socket]) -> Ports:
    """Return the port numbers that the kernel gave."""
    return Ports(**{service: listener.getsockname()[1] for service, listener in bound.items()})
