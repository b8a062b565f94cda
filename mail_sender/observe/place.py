"""Where the listener listens: `127.0.0.1:9310`, `[::1]:9310`, or `unix:/run/mail-sender/observe.sock`."""

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

SPELLINGS = 'an address and a port such as "127.0.0.1:9310" or "[::1]:9310", or "unix:/run/mail-sender/observe.sock"'

_TCP = re.compile(r"\[([0-9A-Fa-f:.]+)\]:(\d{1,5})|([^:\[\]]+):(\d{1,5})")
_BACKLOG = 64
_MOST_BYTES = 107  # of a unix socket's address (unix(7))


class BadPlace(ValueError):
    """The text names no place to listen at; the message says why."""


@dataclass(frozen=True, slots=True)
class TcpPlace:
    """An IP address and a port; port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback

    @property
    def name(self) -> str:
        """The address as it stands in a URL and in a Host header."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"

    @contextmanager
    def listening(self) -> Iterator[socket.socket]:
        """Give a socket that listens there. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        is_both = self.host == "::" and socket.has_dualstack_ipv6()
        with socket.create_server(
            (self.host, self.port), family=family, backlog=_BACKLOG, dualstack_ipv6=is_both
        ) as found:
            yield found


@dataclass(frozen=True, slots=True)
class UnixPlace:
    """A unix socket, for its owner and its group."""

    path: Path

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return True

    def __str__(self) -> str:
        return f"unix:{self.path}"

    @contextmanager
    def listening(self) -> Iterator[socket.socket]:
        """Give a socket that listens there, in place of one that nobody listens on any more. Raises `OSError`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as found:
            os.fchmod(found.fileno(), 0o600)  # before it has a name, so that it never stands open
            self._remove_left_behind()
            found.bind(str(self.path))
            self.path.chmod(0o660)
            ours = self.path.lstat()
            found.listen(_BACKLOG)
            try:
                yield found
            finally:
                if self.path.exists() and os.path.samestat(ours, self.path.lstat()):
                    self.path.unlink(missing_ok=True)

    def _remove_left_behind(self) -> None:
        """Remove a socket whose owner is gone; a file of another kind is somebody's."""
        try:
            is_socket = stat.S_ISSOCK(self.path.lstat().st_mode)
        except FileNotFoundError:
            return
        if not is_socket:
            raise OSError(errno.EEXIST, "there is a file that is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.setblocking(False)
            try:
                asking.connect(str(self.path))
            except ConnectionRefusedError:
                self.path.unlink()
            except BlockingIOError:
                pass  # somebody listens, and is busy


Place = TcpPlace | UnixPlace


def parse(text: str) -> Place:
    """Return the place that a text names. Raises `BadPlace`."""
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute() or "\0" in text:
            raise BadPlace("it is no absolute path")
        if len(os.fsencode(path)) > _MOST_BYTES:
            raise BadPlace(f"the path of a unix socket has at most {_MOST_BYTES} bytes")
        return UnixPlace(path)
    if not (found := _TCP.fullmatch(text)):
        raise BadPlace("it is no address with a port")
    host, port = found[1] or found[3], int(found[2] or found[4])
    if port > 65_535:
        raise BadPlace("there is no such port")
    try:
        return TcpPlace(str(ip_address("127.0.0.1" if host.lower() == "localhost" else host)), port)
    except ValueError:
        raise BadPlace(f"{host} is no IP address; a name may stand for several") from None
