"""One HTTPS client for the identity server.

Every exchange has a deadline and a limit of octets. Redirects are not followed, since the token would go along, and
cookies are not kept. What the network does is said in words; it ends in `ServerFault`.

A connection (`http_connection`) carries one exchange at a time, and the one that was used last is used first, so that
the others get old and are closed. `network` makes new ones.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import Message
from functools import lru_cache
from urllib.parse import urlencode, urlsplit

import structlog

from mail_sender import __version__
from mail_sender.errors import ServerFault, ServerFaultKind, causes
from mail_sender.source import decoding
from mail_sender.source.config import SourceConfig
from mail_sender.source.http_connection import Connection, Cut, NotHttp
from mail_sender.source.network import ConnectTimeout, Network, ProxyRefusal
from mail_sender.tls import certificate, fault
from mail_sender.tls.certificate import Certificate
from mail_sender.tls.fault import Peer
from mail_sender.web import headers, network_words

_log = structlog.get_logger()

CALL_SECONDS = 30.0
OK = 200

MARKS_AT_A_TIME = 4
"""How many messages may be marked at the same time; whatever else is asked does not wait for them."""
_OTHERS_AT_A_TIME = 4
_KEPT_SECONDS = 30.0

_A_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,3}(?:[+-][0-9A-Za-z.+-]{1,20})?")
_KINDS: network_words.Kinds = (
    (ConnectTimeout, network_words.NO_CONNECTION),
    (TimeoutError, network_words.NO_ANSWER),
    (NotHttp, "its answer is not HTTP"),
    (OSError, network_words.CUT),
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
        return _charset(self.headers.get("content-type", ""))

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


@lru_cache(16)
def _charset(content_type: str) -> str | None:
    kind = Message()
    kind["content-type"] = content_type
    return kind.get_content_charset()


def target(path: str, query: Mapping[str, str] | None = None) -> str:
    """Return what is asked for, with its query, as a request has it."""
    return f"{path}?{urlencode(query)}" if query else path


class HttpsClient:
    """A client of the server. Raises `OSError` or `contexts.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._network = Network(config)
        self._slots = asyncio.Semaphore(_OTHERS_AT_A_TIME)
        self._slots_of_marks = asyncio.Semaphore(MARKS_AT_A_TIME)
        self._idle: deque[tuple[float, Connection]] = deque()  # since when, in monotonic seconds
        self._last: tuple[Answer, Connection] | None = None
        self._headers = (
            f"host: {urlsplit(config.uri).netloc}\r\naccept: application/json\r\n"
            f"accept-encoding: {decoding.ACCEPTED}\r\nuser-agent: mail-sender/{__version__}\r\n"
        ).encode()

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
                except Cut:
                    answer = await self._exchange(method, target, most, read)
        except OSError as error:
            raise _network_fault(self._config, error) from error
        _log.debug("server_request", method=method, path=target, status=answer.status, octets=len(answer.body))
        return answer

    @property
    def facts(self) -> ServerFacts:
        """What the last answer showed."""
        if self._last is None:
            return ServerFacts()
        answer, connection = self._last
        version = answer.headers.get("x-kanidm-version", "")
        known = version if _A_VERSION.fullmatch(version) else None
        return ServerFacts(certificate.of(connection.tls), known, answer.date)

    def too_large(self, most: int) -> ServerFault:
        """Return the fault of an answer that is larger than so many octets."""
        return _network_fault(self._config, _TooLarge(most))

    async def close(self) -> None:
        """Close the connections that nobody uses; who uses one closes it."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, method: str, target: str, most: int, read: Read | None) -> Answer:
        connection = self._kept() or await self._network.connect()
        try:
            head = await connection.ask(self._request(method, target))
            began = time.monotonic()
            answer = Answer(began, head.status, head.headers, b"")
            self._last = answer, connection
            if read is not None and answer.status == OK:
                await read(answer, _parts(connection, most))
                return answer
            return Answer(began, head.status, head.headers, await _body(connection, head.status, most))
        finally:
            if connection.is_reusable:
                self._idle.append((time.monotonic(), connection))
            else:
                connection.close()

    def _kept(self) -> Connection | None:
        """Return the connection that was used last, if it is still good; old ones are closed."""
        while self._idle and self._idle[0][0] < time.monotonic() - _KEPT_SECONDS:
            self._idle.popleft()[1].close()
        while self._idle:
            _, connection = self._idle.pop()
            if connection.is_reusable:
                return connection
        return None

    def _request(self, method: str, target: str) -> bytes:
        """Return a request with the token, which stands in nothing that the client keeps."""
        before, login = self._network.asked_of_proxy()
        return b"%b %b%b HTTP/1.1\r\n%b%bauthorization: Bearer %b\r\n%b\r\n" % (
            method.encode(),
            before,
            target.encode(),
            self._headers,
            login,
            self._config.token.get_secret_value().encode(),
            b"content-length: 0\r\n" if method == "POST" else b"",
        )


class _TooLarge(OSError):
    def __init__(self, most: int) -> None:
        super().__init__(f"its answer is larger than {most / 2**20:.0f} MiB")


async def _body(connection: Connection, status: int, most: int) -> bytes:
    """Return the body as it came; of an error that is too large, the status says enough."""
    try:
        return b"".join([part async for part in _parts(connection, most)])
    except _TooLarge:
        if status == OK:
            raise
        return b""


async def _parts(connection: Connection, most: int) -> AsyncIterator[bytes]:
    left = most
    while part := await connection.part():
        left -= len(part)
        if left < 0:
            raise _TooLarge(most)
        yield part


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
        f"{server} cannot be reached: {_detail(error)}",
        advice,
    )


def _detail(error: BaseException) -> str:
    match error:
        case _TooLarge():
            return str(error)
        case ProxyRefusal():
            return f"{network_words.PROXY_REFUSES} ({error.status})"
    return network_words.detail(error, _KINDS)


def _peer(config: SourceConfig) -> Peer:
    return Peer(
        name=urlsplit(config.uri).hostname or "",
        name_key="uri in the client config",
        ca_key="ca_path in the client config",
        client_advice="mail-sender has none for the identity server: have it, or the proxy before it, ask for none",
    )
