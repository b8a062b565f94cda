"""The identity server over real HTTPS: what TLS, a tunnel and cut connections come to; all else is a unit test.

The server here is a socket: each connection gets its answers, octet by octet, and is then closed.
"""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.message import Listing
from mail_sender.names.secret import Secret
from mail_sender.source.config import SourceConfig
from mail_sender.source.http_connection import MOST_UNREAD
from mail_sender.source.https import HttpsClient
from mail_sender.source.kanidm import KanidmSource
from tests.support.certificates import Authority
from tests.support.connect_proxy import MADE, ConnectProxy
from tests.support.scripted_server import Answer, ScriptedServer
from tests.unit.source.answering import entry

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ONE = UUID(int=1)
BODY = b'{"schemas":[],"totalResults":0,"resources":[]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY)
MARKED = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull"


class HttpsServer:
    """A server whose n-th connection gives the n-th list of answers, one for each request, and closes."""

    def __init__(self, context: ssl.SSLContext, connections: Sequence[Sequence[bytes]]) -> None:
        self.requests: list[bytes] = []
        self._context = context
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        for answers in self._connections:
            with suppress(OSError):
                raw, _ = self._listener.accept()
                raw.settimeout(10)
                with raw, self._context.wrap_socket(raw, server_side=True) as connection:
                    for answer in answers:
                        self.requests.append(connection.recv(65536))
                        connection.sendall(answer)


Make = Callable[..., tuple[HttpsServer, KanidmSource]]


@pytest.fixture
async def make(authority: Authority) -> AsyncIterator[Make]:
    """Give a maker of a server and a source of it; `names` are the certificate's, `trusted` says if its CA is ours."""
    sources: list[KanidmSource] = []
    with ExitStack() as stack:

        def both(
            *connections: Sequence[bytes],
            names: tuple[str, ...] = ("localhost",),
            days: int = 30,
            trusted: bool = True,
            proxy: str | None = None,
        ) -> tuple[HttpsServer, KanidmSource]:
            server = HttpsServer(authority.server(*names, days=days), connections)
            stack.callback(server.close)
            token = Secret("a-token")
            ca: Path | None = authority.pem if trusted else None
            config = SourceConfig(server.url, token, ca_path=ca, proxy=Secret(proxy) if proxy else None)
            sources.append(KanidmSource(config))
            return server, sources[-1]

        yield both
        for source in sources:
            await source.close()


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    """Give a proxy that makes tunnels."""
    with ConnectProxy() as running:
        yield running


async def test_an_answer_over_tls_arrives_with_a_ca_of_our_own(make: Make) -> None:
    """The CA of the client config is trusted beside the system's."""
    server, source = make([HEAD + BODY])
    assert (await source.list_ready(NOW)).messages == ()
    assert b"\r\nauthorization: Bearer a-token\r\n" in server.requests[0].replace(b"Authorization", b"authorization")


@pytest.mark.parametrize(
    ("names", "days", "trusted", "words"),
    [
        (("localhost",), 30, False, "its CA is not trusted here"),
        (("other.example",), 30, True, "another name than localhost"),
        (("localhost",), -1, True, "it has expired"),
    ],
)
async def test_a_certificate_that_does_not_hold_gets_no_token(
    make: Make, names: tuple[str, ...], days: int, trusted: bool, words: str
) -> None:
    """Untrusted, for another name, expired: it is said which, and nothing was asked."""
    server, source = make([HEAD + BODY], names=names, days=days, trusted=trusted)
    with pytest.raises(ServerFault) as caught:
        await source.list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.UNTRUSTED
    assert words in caught.value.detail
    assert server.requests == []


async def test_a_list_that_is_longer_than_what_is_kept_unread_arrives_whole(make: Make) -> None:
    """The server has to wait while parts of it are taken, and goes on."""
    body = json.dumps({"resources": [entry(number) for number in range(4_000)]}).encode()
    _, source = make([HEAD.replace(b"%d" % len(BODY), b"%d" % len(body)) + body])
    taken = 0

    async def take(part: Listing) -> None:
        nonlocal taken
        taken += len(part.messages)
        await asyncio.sleep(0.01)

    last = await source.list_ready(NOW, take)
    assert len(body) > 2 * MOST_UNREAD
    assert taken + len(last.messages) == len(last.ids) == 4_000


@pytest.mark.parametrize("cut", [0, 9, len(HEAD), len(HEAD) + 10])
async def test_an_answer_that_is_cut_is_asked_for_once_more(make: Make, cut: int) -> None:
    """Before it, in its head, or in its body."""
    server, source = make([(HEAD + BODY)[:cut]], [HEAD + BODY])
    assert (await source.list_ready(NOW)).messages == ()
    assert len(server.requests) == 2


async def test_an_answer_that_is_cut_twice_is_a_fault(make: Make) -> None:
    """Of the network, not of the message."""
    server, source = make([HEAD + BODY[:10]], [HEAD])
    with pytest.raises(ServerFault) as caught:
        await source.list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.UNREACHABLE
    assert "the connection was cut" in caught.value.detail
    assert len(server.requests) == 2


async def test_a_kept_connection_that_was_closed_is_opened_again(make: Make) -> None:
    """Two requests share a connection; the third finds it closed and has another one."""
    server, source = make([HEAD + BODY, MARKED], [MARKED])
    await source.list_ready(NOW)
    await source.mark_sent(ONE)
    await source.mark_sent(ONE)
    assert len(server.requests) == 3


async def test_what_says_that_it_is_compressed_is_not_believed(make: Make) -> None:
    """Also where it is not: an answer that was not asked for in this form is not Kanidm's."""
    _, source = make([HEAD.replace(b"\r\n", b"\r\ncontent-encoding: gzip\r\n", 1) + BODY])
    with pytest.raises(ServerFault) as caught:
        await source.list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.NOT_KANIDM


async def test_a_proxy_makes_a_tunnel_and_sees_no_token(make: Make, proxy: ConnectProxy) -> None:
    """TLS goes through it to the server itself."""
    server, source = make([HEAD + BODY], proxy=proxy.url)
    assert (await source.list_ready(NOW)).messages == ()
    assert proxy.targets == [server.url.removeprefix("https://")]
    assert len(server.requests) == 1


async def test_a_proxy_may_speak_tls_and_want_a_login_which_only_it_sees(make: Make, authority: Authority) -> None:
    """TLS in TLS; the proxy sees no token, and the server no login."""
    with ConnectProxy(authority.server("localhost")) as proxy:
        server, source = make([HEAD + BODY, MARKED], proxy=f"https://user:p%40ss@{proxy.place}")
        assert (await source.list_ready(NOW)).messages == ()
        await source.mark_sent(ONE)
    assert b"\r\nproxy-authorization: Basic dXNlcjpwQHNz\r\n" in proxy.requests[0]
    assert len(proxy.requests) == 1
    assert b"a-token" not in proxy.requests[0]
    assert [b"proxy-authorization" in request for request in server.requests] == [False, False]


async def test_a_proxy_whose_certificate_does_not_hold_gets_no_login(make: Make, authority: Authority) -> None:
    """Its own name counts, not the server's."""
    with ConnectProxy(authority.server("other.example")) as proxy:
        _, source = make(proxy=f"https://user:secret@{proxy.place}")
        with pytest.raises(ServerFault) as caught:
            await source.list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.UNTRUSTED
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 1\r\n\r\nx", "the proxy refuses (407)"),
        (MADE + HEAD + BODY, "its answer is not HTTP"),
    ],
)
async def test_what_a_proxy_says_in_place_of_a_tunnel_is_not_the_servers_word(
    make: Make, answer: bytes, words: str
) -> None:
    """Neither its refusal, which is a person's to mend, nor what comes before TLS."""
    with ConnectProxy(answer=answer) as proxy:
        server, source = make([HEAD + BODY], proxy=proxy.url)
        with pytest.raises(ServerFault) as caught:
            await source.list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.UNREACHABLE
    assert words in caught.value.detail
    assert server.requests == []


async def test_without_tls_a_proxy_is_asked_itself() -> None:
    """With the whole URL, and its login beside the token (RFC 9112, section 3.2.2)."""
    with ScriptedServer(lambda *_: Answer()) as proxy:
        url = Secret(proxy.url.replace("//", "//user:p%40ss@"))
        source = KanidmSource(SourceConfig("http://idm.example.com", Secret("a-token"), proxy=url))
        await source.mark_sent(ONE)
        await source.close()
    assert proxy.requests == [("POST", f"http://idm.example.com:80/scim/v1/Message/{ONE}/_sent")]
    ((headers, _),) = proxy.posted
    wanted = {
        "host": "idm.example.com",
        "authorization": "Bearer a-token",
        "proxy-authorization": "Basic dXNlcjpwQHNz",
    }
    assert wanted.items() <= headers.items()


async def test_a_server_that_hangs_after_its_handshake_is_not_called_untrusted(authority: Authority) -> None:
    """What Python calls an error of TLS is only that more octets are awaited: nobody should look at certificates."""
    with ScriptedServer(lambda *_: Answer(hang=True), authority.server()) as server:
        client = HttpsClient(SourceConfig(server.url, Secret("token"), ca_path=authority.pem))
        with pytest.raises(ServerFault, match="no answer in time") as caught:
            await client.ask("GET", "/", seconds=1, most=100)
        await client.close()
    assert caught.value.kind is ServerFaultKind.UNREACHABLE
