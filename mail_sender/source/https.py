"""One HTTPS client for the identity server.

Every exchange has a deadline and a limit of octets. Redirects are not followed, since the token would go along. What
the network does is said in words; it ends in `ServerFault`.
"""

import asyncio
import re
import ssl
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from mail_sender import __version__
from mail_sender.errors import ServerFault, ServerFaultKind, causes
from mail_sender.names.secret import Secret
from mail_sender.source import decoding
from mail_sender.source.config import SourceConfig
from mail_sender.tls import certificate, contexts, fault
from mail_sender.tls.certificate import Certificate
from mail_sender.tls.fault import Peer
from mail_sender.web import headers
from mail_sender.web.post import network_detail

_log = structlog.get_logger()

CALL_SECONDS = 30.0

# httpx grows slower with more connections, and one in its pool may be closed under a waiting request.
_CONNECTIONS = 4

_A_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,3}(?:[+-][0-9A-Za-z.+-]{1,20})?")
_CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it arrived: `body` may be compressed, and is empty for an error that was too large to be read.

    `began` is when its head came, in monotonic seconds.
    """

    began: float
    status: int
    headers: httpx.Headers
    body: bytes
    charset: str | None

    @property
    def date(self) -> datetime | None:
        """The server's time now, if it said it: a long answer says when it began."""
        date = headers.date(self.headers.get("date"))
        return date and date + timedelta(seconds=int(time.monotonic() - self.began))

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


class HttpsClient:
    """Connections to the server. Raises `OSError` or `contexts.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._tls_name = contexts.server_name(urlsplit(config.uri).hostname or "")
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._last: tuple[Answer, Any] | None = None
        self._client = httpx.AsyncClient(
            base_url=config.uri,
            headers={
                "accept": "application/json",
                "accept-encoding": decoding.ACCEPTED,
                "user-agent": f"mail-sender/{__version__}",
            },
            auth=partial(_authorized, config.token),
            verify=_context(config),
            timeout=httpx.Timeout(CALL_SECONDS, connect=config.connect_timeout, pool=None),
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=30
            ),
            follow_redirects=False,
            proxy=config.proxy.get_secret_value() if config.proxy else None,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # Else ALL_PROXY and .netrc would have a say, too.
            trust_env=False,
        )

    async def ask(self, method: str, path: str, query: dict[str, str] | None, *, seconds: float, most: int) -> Answer:
        """Return the answer of one call, within so many seconds and octets.

        It is asked once more where a kept connection turns out to be closed: asking twice does no harm. Raises
        `ServerFault` for all that the network can do.
        """
        try:
            async with asyncio.timeout(seconds), self._slots:
                try:
                    answer = await self._exchange(method, path, query, most)
                except _CUT:
                    answer = await self._exchange(method, path, query, most)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _network_fault(self._config, error) from error
        _log.debug("server_request", method=method, path=path, status=answer.status, octets=len(answer.body))
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
        await self._client.aclose()

    async def _exchange(self, method: str, path: str, query: dict[str, str] | None, most: int) -> Answer:
        # httpcore would ask for the name as it is looked up, with a dot at its end.
        extensions = {"sni_hostname": self._tls_name}
        async with self._client.stream(method, path, params=query, extensions=extensions) as response:
            began = time.monotonic()
            body = await _bounded(response, most)
            answer = Answer(began, response.status_code, response.headers, body, response.charset_encoding)
            self._last = replace(answer, body=b""), response.extensions.get("network_stream")
            return answer


class _TooLarge(httpx.HTTPError):
    def __init__(self, most: int) -> None:
        super().__init__(f"its answer is larger than {most / 2**20:.0f} MiB")


async def _bounded(response: httpx.Response, most: int) -> bytes:
    """Return the body as it came; of an error that is too large, the status says enough."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most:
            if response.status_code != 200:
                return b""
            raise _TooLarge(most)
    return bytes(body)


def _authorized(token: Secret, request: httpx.Request) -> httpx.Request:
    """Return a request with the token, which stands in no header of the client's own for as long as that lives."""
    request.headers["authorization"] = f"Bearer {token.get_secret_value()}"
    return request


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
