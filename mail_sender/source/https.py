"""One HTTPS client for the identity server.

Every exchange has a deadline and a limit of octets. Redirects are not followed, since the token would go along, and
cookies are not kept. What the network does is said in words; it ends in `ServerFault`.

It stands on httpcore. Without what httpx has above it, and with the transports
of `network`, a mark costs 0.6 times as much.
"""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import httpcore
import structlog

from mail_sender import __version__
from mail_sender.errors import ServerFault, ServerFaultKind, causes
from mail_sender.names.secret import Secret
from mail_sender.source import decoding
from mail_sender.source.config import SourceConfig
from mail_sender.source.network import Network
from mail_sender.tls import certificate, contexts, fault
from mail_sender.tls.certificate import Certificate
from mail_sender.tls.fault import Peer
from mail_sender.web import headers
from mail_sender.web.post import network_detail

_log = structlog.get_logger()

CALL_SECONDS = 30.0
OK = 200

MARKS_AT_A_TIME = 4
"""How many messages may be marked at the same time; whatever else is asked does not wait for them."""
_OTHERS_AT_A_TIME = 4
_KEPT_SECONDS = 30.0
_DEFAULT_PORTS = {"http": 80, "https": 443}

_A_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,3}(?:[+-][0-9A-Za-z.+-]{1,20})?")
_CUT = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
_OF_THE_NETWORK = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it arrived: `body` may be compressed, and is empty for an error that was too large to be read.

    `began` is when its head came, in monotonic seconds; the names of `headers` are in lower case.
    """

    began: float
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> datetime | None:
        """The server's time now, if it said it: a long answer says when it began."""
        date = headers.date(self.headers.get("date"))
        return date and date + timedelta(seconds=int(time.monotonic() - self.began))

    @property
    def charset(self) -> str | None:
        """The charset that it claims to be in."""
        kind = Message()
        kind["content-type"] = self.headers.get("content-type", "")
        return kind.get_content_charset()

    def text(self, most: int) -> str:
        """Return its text. Raises `decoding.TooLarge` if that is more than so many octets, unpacked."""
        body = decoding.unpacked(self.body, self.headers.get("content-encoding", ""), most)
        return decoding.text(body, self.charset)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the last answer showed of the server beside what was asked for, as far as it did.

    `version` is Kanidm's own, `date` the server's time now. They are a proxy's, if one answered.
    """

    certificate: Certificate | None = None
    version: str | None = None
    date: datetime | None = None


Read = Callable[[Answer, AsyncIterator[bytes]], Awaitable[None]]
"""What reads the body of an answer as it arrives."""


def target(path: str, query: Mapping[str, str] | None = None) -> str:
    """Return what is asked for, with its query, as a request has it."""
    return f"{path}?{urlencode(query)}" if query else path


class HttpsClient:
    """Connections to the server. Raises `OSError` or `contexts.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._slots = asyncio.Semaphore(_OTHERS_AT_A_TIME)
        self._slots_of_marks = asyncio.Semaphore(MARKS_AT_A_TIME)
        self._last: tuple[Answer, Any] | None = None
        place = urlsplit(config.uri)
        self._origin = httpcore.URL(
            scheme=place.scheme,
            host=place.hostname or "",
            port=place.port or _DEFAULT_PORTS[place.scheme],
            target="/",
        )
        self._headers = [
            (b"host", place.netloc.encode()),
            (b"accept", b"application/json"),
            (b"accept-encoding", decoding.ACCEPTED.encode()),
            (b"user-agent", f"mail-sender/{__version__}".encode()),
        ]
        self._timeouts = {"connect": config.connect_timeout, "read": CALL_SECONDS, "write": CALL_SECONDS}
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_context(config),
            proxy=_proxy(config.proxy) if config.proxy else None,
            max_connections=MARKS_AT_A_TIME + _OTHERS_AT_A_TIME,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=Network(),
        )

    async def ask(self, method: str, target: str, *, seconds: float, most: int, read: Read | None = None) -> Answer:
        """Return the answer of one call, within so many seconds and octets.

        `target` is made by the function of that name. With `read`, an answer with status 200 is handed to it without
        its body, together with the octets of the body as they arrive; what it raises is raised.

        It is asked once more where the connection is cut, and then read from the start: asking twice does no harm.
        Raises `ServerFault` for all that the network can do.
        """
        slots = self._slots_of_marks if method == "POST" else self._slots
        try:
            async with asyncio.timeout(seconds), slots:
                try:
                    answer = await self._exchange(method, target, most, read)
                except _CUT:
                    answer = await self._exchange(method, target, most, read)
        except _OF_THE_NETWORK as error:
            raise _network_fault(self._config, error) from error
        _log.debug("server_request", method=method, path=target, status=answer.status, octets=len(answer.body))
        return answer

    @property
    def facts(self) -> ServerFacts:
        """What the last answer showed."""
        if self._last is None:
            return ServerFacts()
        answer, stream = self._last
        connection = stream.get_extra_info("ssl_object") if stream is not None else None
        version = answer.headers.get("x-kanidm-version", "")
        known = version if _A_VERSION.fullmatch(version) else None
        return ServerFacts(certificate.of(connection), known, answer.date)

    def too_large(self, most: int) -> ServerFault:
        """Return the fault of an answer that is larger than so many octets."""
        return _network_fault(self._config, _TooLarge(most))

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _exchange(self, method: str, target: str, most: int, read: Read | None) -> Answer:
        response = await self._pool.handle_async_request(self._request(method, target))
        try:
            answer = Answer(time.monotonic(), response.status, _headers(response.headers), b"")
            self._last = answer, response.extensions.get("network_stream")
            if read is not None and answer.status == OK:
                await read(answer, _counted(response, most))
                return answer
            return replace(answer, body=await _bounded(response, most))
        finally:
            await response.aclose()

    def _request(self, method: str, target: str) -> httpcore.Request:
        """Return a request with the token, which stands in no header that the client keeps."""
        origin = self._origin
        url = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target)
        sent = [*self._headers, (b"authorization", b"Bearer " + self._config.token.get_secret_value().encode())]
        if method == "POST":
            sent.append((b"content-length", b"0"))
        return httpcore.Request(method, url, headers=sent, extensions={"timeout": self._timeouts})


class _TooLarge(OSError):
    def __init__(self, most: int) -> None:
        super().__init__(f"its answer is larger than {most / 2**20:.0f} MiB")


async def _bounded(response: httpcore.Response, most: int) -> bytes:
    """Return the body as it came; of an error that is too large, the status says enough."""
    try:
        return b"".join([chunk async for chunk in _counted(response, most)])
    except _TooLarge:
        if response.status == OK:
            raise
        return b""


async def _counted(response: httpcore.Response, most: int) -> AsyncIterator[bytes]:
    left = most
    async for chunk in response.aiter_stream():
        left -= len(chunk)
        if left < 0:
            raise _TooLarge(most)
        yield chunk


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers as text; what came several times is joined with commas (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _proxy(url: Secret) -> httpcore.Proxy:
    place = urlsplit(url.get_secret_value())
    login = (unquote(place.username).encode(), unquote(place.password or "").encode()) if place.username else None
    return httpcore.Proxy(f"{place.scheme}://{place.netloc.rpartition('@')[2]}", auth=login)


def _context(config: SourceConfig) -> ssl.SSLContext:
    context = contexts.context(config.ca_path)
    if not (config.verify_hostnames and config.verify_ca):
        context.check_hostname = False
    if not config.verify_ca:
        context.verify_mode = ssl.CERT_NONE
    return context


# What the network does, in words


def _network_fault(config: SourceConfig, error: BaseException) -> ServerFault:
    server, advice = config.uri, "check that it runs, and that uri in the client config is right from this machine"
    if config.proxy:
        variable = f"{urlsplit(server).scheme.upper()}_PROXY"
        server += f" (through the proxy of {variable})"
        advice = f"check that the proxy runs and lets this request through, or leave it out: {variable}, NO_PROXY"
    if (found := fault.among(causes(error))) is not None:
        detail, cure = fault.described(found, _peer(config))
        return ServerFault(ServerFaultKind.UNTRUSTED, f"{server}: {detail}", cure)
    return ServerFault(
        ServerFaultKind.UNREACHABLE,
        f"{server} cannot be reached: {error if isinstance(error, _TooLarge) else network_detail(error)}",
        advice,
    )


def _peer(config: SourceConfig) -> Peer:
    return Peer(
        name=urlsplit(config.uri).hostname or "",
        name_key="uri in the client config",
        ca_key="ca_path in the client config",
        client_advice="mail-sender has none for the identity server: have it, or the proxy before it, ask for none",
    )
