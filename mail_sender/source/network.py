"""The way to the identity server: TCP, a proxy where the environment names one, TLS.

The host is looked up by asyncio, which tries IPv6 and IPv4 side by side (RFC 8305). A name that ends with a dot is
asked for without it (RFC 6066, section 3). To an `https://` server the proxy makes a tunnel (CONNECT, RFC
9110, section 9.3.6), and sees neither token nor list; for an `http://` one it is asked itself. Each step has
`connect_timeout` for itself.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Self, TypeVar, cast
from urllib.parse import unquote, urlsplit

from mail_sender.names.secret import Secret
from mail_sender.source.config import DEFAULT_PORTS, SourceConfig
from mail_sender.source.http_connection import Connection
from mail_sender.tls import contexts

_EYEBALLS = 0.25  # seconds, as RFC 8305 recommends (section 5)
_SILENT_SECONDS = 30.0
_Result = TypeVar("_Result")


class ConnectTimeout(TimeoutError):
    """There is no connection within the time allowed."""


class ProxyRefusal(OSError):
    """The proxy makes no tunnel; `status` is its answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answers {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class _Place:
    is_tls: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        parts = urlsplit(url)
        return cls(parts.scheme == "https", parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])

    @property
    def authority(self) -> bytes:
        """Host and port, as a request has them."""
        return (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}").encode()


class Network:
    """Makes connections to one server. Raises `OSError` or `contexts.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._server = _Place.of(config.uri)
        self._context = _context(config)
        self._connect_seconds = config.connect_timeout
        self._silent_seconds = _SILENT_SECONDS
        self._login = config.proxy
        self._proxy = _Place.of(config.proxy.get_secret_value()) if config.proxy else None
        self._proxy_context = contexts.context(config.ca_path) if self._proxy and self._proxy.is_tls else None

    async def connect(self) -> Connection:
        """Return a connection on which the server can be asked.

        Raises `OSError`: `ConnectTimeout`, `ProxyRefusal`, a fault of TLS, or what else was in the way.
        """
        first = self._proxy or self._server
        loop = asyncio.get_running_loop()
        reaching = loop.create_connection(self._made, first.host, first.port, happy_eyeballs_delay=_EYEBALLS)
        _, connection = await self._in_time(reaching)
        try:
            if self._proxy is not None:
                if self._proxy_context is not None:
                    connection = await self._under_tls(connection, self._proxy_context, self._proxy)
                if self._server.is_tls:
                    await self._tunnel(connection)
            if self._server.is_tls:
                connection = await self._under_tls(connection, self._context, self._server)
        except BaseException:
            connection.close()
            raise
        return connection

    def asked_of_proxy(self) -> tuple[bytes, bytes]:
        """Return what stands before each target, and a header, where a proxy is asked itself; else nothing."""
        if self._proxy is None or self._server.is_tls:
            return b"", b""
        return b"http://" + self._server.authority, _authorization(self._login)

    def _made(self) -> Connection:
        return Connection(self._silent_seconds)

    async def _tunnel(self, connection: Connection) -> None:
        target = self._server.authority
        request = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\naccept: */*\r\n" % (target, target)
        head = await connection.ask(request + _authorization(self._login) + b"\r\n")
        if not 200 <= head.status < 300:
            raise ProxyRefusal(head.status)

    async def _under_tls(self, lower: Connection, context: ssl.SSLContext, peer: _Place) -> Connection:
        """Go on under TLS. Nothing that was said until then is taken for what is said under TLS."""
        loop, upper = asyncio.get_running_loop(), self._made()
        upper.transport = lower.handed_over()
        name = contexts.server_name(peer.host)
        found = await self._in_time(loop.start_tls(upper.transport, upper, context, server_hostname=name))
        upper.transport = cast("asyncio.Transport", found)
        return upper

    async def _in_time(self, step: Awaitable[_Result]) -> _Result:
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await step
        except TimeoutError as error:
            raise ConnectTimeout from error


def _authorization(login: Secret | None) -> bytes:
    """Return the header with the login of a proxy's URL, if there is one (RFC 7617)."""
    parts = urlsplit(login.get_secret_value() if login else "")
    if not parts.username:
        return b""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return b"proxy-authorization: Basic %b\r\n" % b64encode(pair.encode())


def _context(config: SourceConfig) -> ssl.SSLContext:
    context = contexts.context(config.ca_path)
    context.set_alpn_protocols(["http/1.1"])
    if not (config.verify_hostnames and config.verify_ca):
        context.check_hostname = False
    if not config.verify_ca:
        context.verify_mode = ssl.CERT_NONE
    return context
