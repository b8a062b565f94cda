"""`mail_relay`: where the relay is and how TLS starts there, in every spelling that users have tried.

    smtps://host[:port]   TLS from the first byte, 465                  (Kanidm from 1.11 on)
    smtp://host[:port]    STARTTLS, mandatory, 587                      (Kanidm from 1.11 on)
    host                  TLS from the first byte, 465                  (Kanidm up to 1.10)
    host:465              TLS from the first byte
    host:25, :587, :2525  STARTTLS, mandatory
    host:port             found out on the first connection; TLS is mandatory either way

and without TLS, where nothing leaves this machine, and only if that is written there:

    smtp+insecure://127.0.0.1[:port]   also [::1] and localhost, 25
    smtp+unix:///path/of/a/socket

A URL may carry user and password, and a path, which is the EHLO name, as in Kanidm's sender. Its query is ignored, so
that `?tls=opportunistic` cannot switch TLS off.
"""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from mail_sender.names import hostname
from mail_sender.names.secret import Secret
from mail_sender.relay import ehlo_name

SPELLINGS = "smtps://host[:465], smtp://host[:587], host or host:port"

_PLAIN, _UNIX = "smtp+insecure", "smtp+unix"
_DEFAULT_PORT = {"smtps": 465, "smtp": 587, _PLAIN: 25}
_STARTTLS_PORTS = frozenset({25, 587, 2525})
_HOST = re.compile(r"^(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^\s:/\[\]@]+))(?::(\d{1,5}))?$")


_MOST_PATH_BYTES = 107  # of a unix socket's address (unix(7))


class Security(StrEnum):
    """How TLS starts on the relay's port; without it nothing leaves this machine."""

    IMPLICIT = "TLS"
    STARTTLS = "STARTTLS"
    PLAIN = "no TLS, only on this machine"
    DISCOVER = "TLS or STARTTLS, found out on the first connection"


class BadRelay(ValueError):
    """The text names no relay; the message never repeats it, since it may hold a password."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Host (a name in ASCII, or an address without brackets), TCP port, and what else a URL may carry.

    For a unix socket, the host is its path, and the port 0.
    """

    host: str
    port: int
    security: Security
    username: str | None = None
    password: Secret | None = None
    local_name: str | None = None

    def __str__(self) -> str:
        """Give `host:port`, with brackets around an IPv6 literal, or `unix:path`."""
        if is_path(self.host):
            return f"unix:{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Endpoint:
    """Return the relay that the text names. Raises `BadRelay` with what is wrong with it."""
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not separator:
        host, port = _host_and_port(text.strip().rstrip("/"))
        return Endpoint(host, port or 465, _security_of(port))
    if scheme == _UNIX:
        return Endpoint(_socket_path(rest), 0, Security.PLAIN)
    if scheme not in _DEFAULT_PORT:
        raise BadRelay(f"unknown scheme {scheme!r}" if scheme.isalnum() and len(scheme) < 12 else "unknown scheme")
    # The last @ ends the login: passwords of some providers hold @, / and #, and people paste them as they are.
    login, _, place = rest.rpartition("@")
    authority, _, path = re.split(r"[?#]", place, maxsplit=1)[0].partition("/")
    if "://" in place:
        raise BadRelay("its scheme stands there twice")
    host, port = _host_and_port(authority)
    if scheme == _PLAIN and not _is_this_machine(host):
        raise BadRelay(f"{_PLAIN}:// is for a loopback address or localhost alone: without TLS, mail stays here")
    username, _, password = login.partition(":")
    return Endpoint(
        host=host,
        port=port or _DEFAULT_PORT[scheme],
        security=_SECURITY[scheme],
        username=unquote(username) or None,
        password=Secret(unquote(password)) if password else None,
        local_name=_local_name(path.strip("/")),
    )


_SECURITY = {"smtps": Security.IMPLICIT, "smtp": Security.STARTTLS, _PLAIN: Security.PLAIN}


def is_path(host: str) -> bool:
    """Say whether a host is in fact a unix socket's path."""
    return host.startswith("/")


def _socket_path(rest: str) -> str:
    path = unquote(re.split(r"[?#]", rest, maxsplit=1)[0])
    if not is_path(path) or "\0" in path or path.endswith("/"):
        raise BadRelay(f"a socket is written with three slashes, and without a login: {_UNIX}:///run/relay.sock")
    if len(os.fsencode(path)) > _MOST_PATH_BYTES:
        raise BadRelay(f"the path of a unix socket has at most {_MOST_PATH_BYTES} bytes")
    return path


def _is_this_machine(host: str) -> bool:
    """Say whether a host may be reached without TLS; what `localhost` is, is checked when it is looked up."""
    return hostname.is_loopback(host.partition("%")[0]) or host.rstrip(".").lower() == "localhost"


def _local_name(path: str) -> str | None:
    try:
        return ehlo_name.parse(path.encode("ascii").decode()) if path else None
    except UnicodeEncodeError:
        raise BadRelay("its path is not an EHLO name: it is not ASCII") from None
    except ehlo_name.BadEhloName as error:
        raise BadRelay(f"its path is not an EHLO name: {error}") from None


def _host_and_port(text: str) -> tuple[str, int | None]:
    match = _HOST.match(text)
    if not match:
        if re.fullmatch(r"[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*", text):
            raise BadRelay("an IPv6 address without brackets, which must stand around it, as in [2001:db8::25]:465")
        raise BadRelay("not a host name with an optional port")
    port = int(match[3]) if match[3] else None
    if port is not None and not 0 < port < 65536:
        raise BadRelay(f"port {port} does not exist")
    try:
        return hostname.to_ascii(match[2]) if match[2] else match[1], port
    except hostname.BadHostName as error:
        raise BadRelay(f"not a host name: {error}") from None


def _security_of(port: int | None) -> Security:
    if port in {None, 465}:
        return Security.IMPLICIT
    return Security.STARTTLS if port in _STARTTLS_PORTS else Security.DISCOVER
