"""A resolver's place: an IP address, with a port if it is not 53."""

import ipaddress
import re
from dataclasses import dataclass

_PORT = 53
_PLACE = re.compile(r"\[(?P<six>[^\]]+)\](?::(?P<port6>\d{1,5}))?|(?P<four>[^:]+):(?P<port4>\d{1,5})|(?P<bare>.+)")


class BadNameserver(ValueError):
    """The text is no resolver's place; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Nameserver:
    """A resolver: an IP address without brackets, and the port on which it takes questions (UDP and TCP)."""

    address: str
    port: int = _PORT

    def __str__(self) -> str:
        """Give the address, with brackets and the port where they are needed."""
        if self.port == _PORT:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse(text: str) -> Nameserver:
    """Return the resolver of `192.0.2.53`, `127.0.0.1:5353`, `2001:db8::53` or `[2001:db8::53]:5353`.

    Raises `BadNameserver`.
    """
    match = _PLACE.fullmatch(text.strip())
    try:
        if not match:
            raise ValueError("empty")
        host = ipaddress.ip_address(match["six"] or match["four"] or match["bare"])
        port = int(match["port6"] or match["port4"] or _PORT)
    except ValueError:
        raise BadNameserver("expected an IP address such as 192.0.2.53, or 127.0.0.1:5353 with a port") from None
    if not 0 < port < 65536:
        raise BadNameserver(f"port {port} does not exist")
    return Nameserver(str(host), port)
