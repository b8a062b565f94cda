"""The queue of a Kanidm server over HTTPS (docs/kanidm-wire.md): the only file that knows httpx.

There are three ways to read the list; each is tried if the one before it failed:

1. `_ready`: one answer, all of it. At 16,384 unsent messages the server answers 500.
2. `Message?filter=not (sent_at pr)`: one answer again; what is held back by `send_after` is left out here.
3. The same in pages. Pages of a real server overlap and miss entries, so each id is taken once. An entry that no page
   has is not gone: the next poll reads the pages again.

Every call has a deadline and a limit of bytes. Redirects are not followed, since the token would go along.
`answers` says what answers mean, `_network_fault` what the network does; both end in `ServerFault`.
"""

import asyncio
import json
import socket
import ssl
from dataclasses import replace
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote
from uuid import UUID

import httpx
import structlog

from mail_sender import __version__, tls
from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind, causes
from mail_sender.message import Found, Listing
from mail_sender.source import answers, wire
from mail_sender.source.base import Standing
from mail_sender.source.config import SourceConfig

_log = structlog.get_logger()

_QUEUE = "/scim/v1/Message"
_UNSENT = "not (sent_at pr)"
_PAGE = 1_000  # entries
_MOST_PAGES = 1_000
_LARGEST_ANSWER = 64 * 2**20  # octets; 17,000 messages are 5.5 MB
_CALL_SECONDS = 30.0
_LIST_SECONDS = 120.0

# httpx grows slower with more connections, and one in its pool may be closed under a waiting request.
_CONNECTIONS = 4

_CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class KanidmSource:
    """A Kanidm server. Raises `OSError` or `tls.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._server = config.uri
        self._server_time: datetime | None = None
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._client = httpx.AsyncClient(
            base_url=config.uri,
            headers={
                "authorization": f"Bearer {config.token.get_secret_value()}",
                "accept": "application/json",
                "accept-encoding": "identity",
                "user-agent": f"mail-sender/{__version__}",
            },
            verify=_context(config),
            timeout=httpx.Timeout(_CALL_SECONDS, connect=config.connect_timeout, pool=None),
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=30
            ),
            follow_redirects=False,
            proxy=config.proxy.get_secret_value() if config.proxy else None,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            # Else ALL_PROXY and .netrc would have a say, too.
            trust_env=False,
        )

    async def standing(self) -> Standing:
        """Return who we are (`/v1/self`), and whether the token may write (`extAccessCheck` on our own entry)."""
        _, answer = await self._call("GET", "/v1/self")
        try:
            attributes = answer["youare"]["attrs"]  # type: ignore[index]  # anything else is not Kanidm
            account = str(attributes["name"][0])
            groups = frozenset(str(group).partition("@")[0] for group in attributes.get("memberof", []))
        except (KeyError, IndexError, TypeError, AttributeError):
            account, groups = "", frozenset()
        if not account or not account.isprintable():
            raise answers.not_kanidm(self._server, "/v1/self answered something that is not an account")
        return answers.standing(account, groups, await self._may_write(account))

    async def list_ready(self, now: datetime) -> Listing:
        """Return what is ready; the module's text says how."""
        status, answer = await self._call("GET", f"{_QUEUE}/_ready", accept=(200, 500), seconds=_LIST_SECONDS)
        if status == 500:
            pages = await self._long_list(answers.fault(self._server, status, answer, {}))
        else:
            pages = [answer]
        try:
            found = wire.listing([entry for page in pages for entry in wire.entries(page)], now)
        except wire.NotAList:
            detail = f"{_QUEUE}/_ready answered JSON that is not a list of messages"
            raise answers.not_kanidm(self._server, detail) from None
        return replace(found, at=self._server_time)

    async def read(self, message: UUID) -> Found:
        """Return one message (docs/kanidm-wire.md, Reading one message)."""
        status, answer = await self._call("GET", f"{_QUEUE}/{message}", accept=(200, 404))
        if status == 404:
            raise MessageGone
        try:
            return wire.found(answer)
        except wire.NotAList as error:
            raise answers.not_kanidm(self._server, f"message {message} {error}") from None

    async def mark_sent(self, message: UUID) -> None:
        """Mark the message as sent: 200 is the only yes (docs/kanidm-wire.md, Marking as sent)."""
        status, _ = await self._call("POST", f"{_QUEUE}/{message}/_sent", accept=(200, 404))
        if status == 404:
            raise MessageGone

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _may_write(self, account: str) -> bool | None:
        path = f"/scim/v1/Entry/{quote(account, safe='')}"
        status, answer = await self._call("GET", path, {"extAccessCheck": "true"}, accept=(200, 400, 404))
        access = answer.get("extAccessCheck") if status == 200 and isinstance(answer, dict) else None
        if not isinstance(access, dict) or "modifyPresent" not in access:
            return None
        return bool(access["modifyPresent"] != "Deny")

    async def _long_list(self, first: ServerFault) -> list[object]:
        try:
            _, answer = await self._call("GET", _QUEUE, {"filter": _UNSENT}, seconds=_LIST_SECONDS)
        except ServerFault:
            return await self._pages(first)
        return [answer]

    async def _pages(self, first: ServerFault) -> list[object]:
        pages: list[object] = []
        seen: set[str] = set()
        for number in range(_MOST_PAGES):
            query = {"filter": _UNSENT, "count": str(_PAGE), "startIndex": str(number * _PAGE + 1)}
            try:
                _, answer = await self._call("GET", _QUEUE, query, seconds=_LIST_SECONDS)
            except ServerFault:
                # Beyond its end, a list that has shrunk meanwhile answers 500.
                if pages:
                    break
                raise first from None
            pages.append(answer)
            new = wire.ids(answer) - seen
            if not new or (number + 1) * _PAGE >= wire.total(answer):
                break
            seen |= new
        return pages

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        accept: tuple[int, ...] = (200,),
        seconds: float = _CALL_SECONDS,
    ) -> tuple[int, object]:
        """Return status and decoded answer of one call.

        Raises `ServerFault` for every status that is not in `accept`, and for all that the network can do.
        """
        try:
            async with asyncio.timeout(seconds), self._slots:
                response, body = await self._exchange(method, path, query)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _network_fault(self._config, error) from error
        self._server_time = answers.date(response.headers.get("date"))
        _log.debug("server_request", method=method, path=path, status=response.status_code, octets=len(body))
        answer = _decoded(body)
        if response.status_code not in accept:
            raise answers.fault(self._server, response.status_code, answer, response.headers)
        if response.status_code == 200 and answer is answers.UNREADABLE:
            raise answers.not_kanidm(self._server, f"{path} answered 200 with something that is not JSON")
        return response.status_code, answer

    async def _exchange(self, method: str, path: str, query: dict[str, str] | None) -> tuple[httpx.Response, bytes]:
        """Ask, and once more where a kept connection turns out to be closed: asking twice does no harm."""
        try:
            return await self._ask(method, path, query)
        except _CUT:
            return await self._ask(method, path, query)

    async def _ask(self, method: str, path: str, query: dict[str, str] | None) -> tuple[httpx.Response, bytes]:
        async with self._client.stream(method, path, params=query) as response:
            return response, await _bounded(response)


class _TooLarge(httpx.HTTPError):
    pass


async def _bounded(response: httpx.Response) -> bytes:
    """Return the body as it came; a compressed one was not asked for, and may be a bomb."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return b""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise _TooLarge("too large")
    return bytes(body)


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return answers.UNREADABLE


def _context(config: SourceConfig) -> ssl.SSLContext:
    context = tls.context(config.ca_path)
    if not (config.verify_hostnames and config.verify_ca):
        context.check_hostname = False
    if not config.verify_ca:
        context.verify_mode = ssl.CERT_NONE
    return context


# What the network does, in words


def _network_fault(config: SourceConfig, error: BaseException) -> ServerFault:
    server = config.uri + (" (through the proxy of HTTPS_PROXY)" if config.proxy else "")
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            host = httpx.URL(config.uri).host
            advice = (
                "set ca_path in the client config to the PEM file of its CA, or correct the server's certificate"
                if isinstance(cause, ssl.SSLCertVerificationError)
                else "check scheme and port of uri in the client config"
            )
            return ServerFault(ServerFaultKind.UNTRUSTED, f"{server}: {tls.fault(cause, host)}", advice)
    return ServerFault(
        ServerFaultKind.UNREACHABLE,
        f"{server} cannot be reached: {_network_detail(error)}",
        "check that it runs, and that uri in the client config is right from this machine",
    )


_NETWORK_DETAILS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name cannot be resolved"),
    (ConnectionRefusedError, "connection refused"),
    (httpx.ConnectTimeout, "no connection within the time allowed"),
    (TimeoutError, "no answer in time"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.ProxyError, "the proxy (HTTPS_PROXY) refuses"),
    (httpx.NetworkError, "the connection was cut"),
    (httpx.ProtocolError, "the connection was cut, or the answer is not HTTP"),
    (_TooLarge, "its answer is larger than 64 MiB"),
)


def _network_detail(error: BaseException) -> str:
    found = list(causes(error))
    for kind, detail in _NETWORK_DETAILS:
        if any(isinstance(cause, kind) for cause in found):
            return detail
    return type(error).__name__
