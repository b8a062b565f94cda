"""What the source makes of answers, faults and proxies; the server is `respx`, and no socket is opened.

Real connections (TLS, a tunnel, a cut) are in `tests/wire/test_server_connections.py`, a whole server in
`tests/contract/test_source_contract.py`.
"""

import asyncio
import gzip
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import respx
from pydantic import SecretStr

from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind
from mail_sender.source import kanidm
from mail_sender.source.base import Standing
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from tests.conformance import captures

SERVER = "https://idm.example.com"
QUEUE = "/scim/v1/Message"
READY = f"{QUEUE}/_ready"
ONE = UUID("ae9755fd-8069-443f-b635-f23eca310227")
SENT = f"{QUEUE}/{ONE}/_sent"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CAPTURED = {capture.name: capture for capture in captures.load()}
BACKEND = httpx.Response(500, json="backend")
NOTHING = httpx.Response(200, json={"schemas": [], "totalResults": 0, "resources": []})


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    """Give a server that answers what a test routes; what is not routed fails the test."""
    with respx.mock(base_url=SERVER, assert_all_called=False) as router:
        yield router


@pytest.fixture
async def source(server: respx.MockRouter) -> AsyncIterator[KanidmSource]:
    """Give a source of that server."""
    made = KanidmSource(SourceConfig(SERVER, SecretStr("a-token")))
    yield made
    await made.close()


def captured(name: str) -> httpx.Response:
    """Return the answer that a real server gave."""
    found = CAPTURED[name]
    content = found.text if found.json is captures.ABSENT else json.dumps(found.json)
    return httpx.Response(found.status, headers=found.headers, content=content)


def account(name: object = "mail-sender") -> httpx.Response:
    """Return /v1/self's answer for a sender of that name."""
    attributes = {"name": [name], "memberof": ["idm_message_senders@localhost"]}
    return httpx.Response(200, content=json.dumps({"youare": {"attrs": attributes}}))


def entry(number: int, **more: object) -> dict[str, object]:
    """Return an entry of the queue whose id is the number."""
    return {
        "schemas": [],
        "id": str(UUID(int=number)),
        "send_after": "2026-11-20T00:00:00Z",
        "delete_after": "2026-11-27T00:00:00Z",
        "mail_destination": [{"primary": True, "value": f"u{number}@example.com"}],
        "message_template": {"TestMessageV1": {"display_name": "x"}},
        **more,
    }


def listed(entries: Sequence[object], total: int) -> httpx.Response:
    """Return a list."""
    return httpx.Response(200, json={"schemas": [], "totalResults": total, "resources": list(entries)})


async def fault_of_list(source: KanidmSource) -> ServerFault:
    """Return what listing raises."""
    with pytest.raises(ServerFault) as caught:
        await source.list_ready(NOW)
    return caught.value


# What is asked


async def test_a_request_has_the_token_and_no_cookie_and_wants_no_compression(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """A session that somebody in between sets is not ours, and a jar of cookies only grows."""
    route = server.get(READY).mock(NOTHING)
    route.side_effect = lambda _: httpx.Response(200, json={"resources": []}, headers={"set-cookie": "c=x"})
    for _ in range(3):
        await source.list_ready(NOW)
    for call in route.calls:
        assert call.request.headers["authorization"] == "Bearer a-token"
        assert call.request.headers["accept-encoding"] == "identity"
        assert "cookie" not in call.request.headers
    assert list(source._client.cookies.jar) == []


async def test_a_redirect_is_not_followed(server: respx.MockRouter, source: KanidmSource) -> None:
    """The token would go along."""
    server.get(READY).respond(302, headers={"location": f"{SERVER}/login"})
    login = server.get("/login").respond(200)
    assert (await fault_of_list(source)).kind is ServerFaultKind.NOT_KANIDM
    assert not login.called


# Standing


@pytest.mark.parametrize(
    ("token", "kind"),
    [("readwrite", None), ("readonly", ServerFaultKind.TOKEN_READ_ONLY)],
)
async def test_the_standing_is_read_from_what_kanidm_says(
    server: respx.MockRouter, source: KanidmSource, token: str, kind: ServerFaultKind | None
) -> None:
    """The account and its groups, and whether the token may write."""
    server.get("/v1/self").mock(captured("self: sender"))
    server.get("/scim/v1/Entry/mail-sender", params={"extAccessCheck": "true"}).mock(
        captured(f"own entry with extAccessCheck: token {token}")
    )
    if kind is None:
        assert await source.standing() == Standing("mail-sender", may_write=True)
        return
    with pytest.raises(ServerFault) as caught:
        await source.standing()
    assert caught.value.kind is kind


async def test_an_outsider_is_no_sender(server: respx.MockRouter, source: KanidmSource) -> None:
    """Its list would be empty for ever."""
    server.get("/v1/self").mock(captured("self: outsider"))
    server.get(path__startswith="/scim/v1/Entry/").mock(captured("own entry with extAccessCheck: token outsider"))
    with pytest.raises(ServerFault) as caught:
        await source.standing()
    assert caught.value.kind is ServerFaultKind.NOT_A_SENDER


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "../../x", "x" * 10_000, "?", "#", "", 7, None, []])
async def test_an_account_name_that_is_none_is_no_crash(
    server: respx.MockRouter, source: KanidmSource, name: object
) -> None:
    """Whatever stands there, `standing` answers or raises `ServerFault`."""
    server.get("/v1/self").mock(account(name))
    server.get(path__startswith="/scim/v1/Entry/").respond(404)
    try:
        await source.standing()
    except ServerFault as fault:
        assert fault.detail.isprintable()  # noqa: PT017 - either outcome is right


# Messages, one by one


async def test_one_message_is_read_and_its_mark_with_it(server: respx.MockRouter, source: KanidmSource) -> None:
    """Before and after it was marked."""
    server.get(f"{QUEUE}/{ONE}").side_effect = [captured("get"), captured("get: after sent")]
    queued, sent = await source.read(ONE), await source.read(ONE)
    assert queued.message == sent.message
    assert queued.sent_at is None
    assert sent.sent_at is not None


async def test_a_message_that_the_server_does_not_know_is_gone(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """404 when it is read and when it is marked."""
    server.get(f"{QUEUE}/{ONE}").mock(captured("get: unknown"))
    server.post(SENT).mock(captured("sent: unknown"))
    for call in (source.read, source.mark_sent):
        with pytest.raises(MessageGone):
            await call(ONE)


@pytest.mark.parametrize("name", ["sent", "sent: again"])
async def test_a_mark_that_the_server_took_is_one(server: respx.MockRouter, source: KanidmSource, name: str) -> None:
    """Also where it was marked before."""
    route = server.post(SENT).mock(captured(name))
    await source.mark_sent(ONE)
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, content=b""), ServerFaultKind.NOT_KANIDM),
        (httpx.Response(204), ServerFaultKind.NOT_KANIDM),
        (httpx.Response(409, content=b"null"), ServerFaultKind.ERROR),
        (httpx.Response(429), ServerFaultKind.OVERLOADED),
        (BACKEND, ServerFaultKind.ERROR),
        (captured("sent: token readonly"), ServerFaultKind.TOKEN_READ_ONLY),
        (captured("sent: token none"), ServerFaultKind.TOKEN_REFUSED),
    ],
    ids=["empty", "204", "409", "429", "500", "403", "401"],
)
async def test_only_200_and_json_is_a_mark(
    server: respx.MockRouter, source: KanidmSource, answer: httpx.Response, kind: ServerFaultKind
) -> None:
    """Anything else is a fault, and the message stays to be marked."""
    server.post(SENT).mock(answer)
    with pytest.raises(ServerFault) as caught:
        await source.mark_sent(ONE)
    assert caught.value.kind is kind


# Lists


async def test_a_list_comes_with_the_servers_time(server: respx.MockRouter, source: KanidmSource) -> None:
    """From its Date header (RFC 9110, section 6.6.1)."""
    answer = captured("ready: test and reset")
    answer.headers["date"] = "Sat, 21 Nov 2026 11:59:58 GMT"
    server.get(READY).mock(answer)
    found = await source.list_ready(NOW)
    assert len(found.messages) == 3
    assert found.at == datetime(2026, 11, 21, 11, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>please log in</html>", headers={"content-type": "text/html"}),
        captured("unknown route"),
        httpx.Response(200, json={"hello": "world"}),
        httpx.Response(200, content=b"[" * 100_000),
    ],
    ids=["html", "404", "other json", "nested"],
)
@pytest.mark.parametrize("path", ["/v1/self", READY])
async def test_what_is_not_kanidm_is_said_to_be_none(
    server: respx.MockRouter, source: KanidmSource, path: str, answer: httpx.Response
) -> None:
    """A login page, a proxy, another server."""
    server.get(path).mock(answer)
    with pytest.raises(ServerFault) as caught:
        await (source.standing() if path == "/v1/self" else source.list_ready(NOW))
    assert caught.value.kind is ServerFaultKind.NOT_KANIDM


async def test_a_server_that_asks_for_time_says_how_much(server: respx.MockRouter, source: KanidmSource) -> None:
    """Retry-After in seconds."""
    server.get(READY).respond(503, headers={"retry-after": "120"})
    fault = await fault_of_list(source)
    assert (fault.kind, fault.retry_after) == (ServerFaultKind.OVERLOADED, 120.0)


@pytest.mark.parametrize("cut", range(0, 1024, 64))
async def test_a_list_cut_at_any_place_is_a_fault_and_no_message(
    server: respx.MockRouter, source: KanidmSource, cut: int
) -> None:
    """Half a list is no list, even where it happens to be JSON's beginning."""
    whole = json.dumps({"resources": [{"id": str(number)} for number in range(200)]}).encode()
    server.get(READY).respond(200, content=whole[:cut])
    assert (await fault_of_list(source)).kind is ServerFaultKind.NOT_KANIDM


@pytest.mark.parametrize(("encoding", "times"), [("gzip", 1), ("gzip, gzip", 2), ("gzip, gzip, gzip", 3)])
async def test_what_is_compressed_is_refused(
    server: respx.MockRouter, source: KanidmSource, encoding: str, times: int
) -> None:
    """It was not asked for, and 3 kB can hold 2 GB: it is neither unpacked nor believed."""
    body = NOTHING.content
    for _ in range(times):
        body = gzip.compress(body)
    server.get(READY).side_effect = lambda _: raw(body, {"content-encoding": encoding})
    assert (await fault_of_list(source)).kind is ServerFaultKind.NOT_KANIDM


async def test_an_answer_is_read_up_to_a_limit(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MiB, here 1 KiB: the rest is left where it is."""
    monkeypatch.setattr(kanidm, "_LARGEST_ANSWER", 1024)
    server.get(READY).respond(200, content=bytes(1025))
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.UNREACHABLE
    assert "larger than 64 MiB" in fault.detail


def raw(body: bytes, headers: dict[str, str]) -> httpx.Response:
    """Return an answer whose body is as it is on the wire, whatever the headers say of it."""
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))


# Long lists


def like_kanidm(server: respx.MockRouter, whole: httpx.Response, pages: Sequence[httpx.Response] = ()) -> respx.Route:
    """Answer `_ready` with 500, the unpaged list with `whole`, and each page with the next one; return the pages."""
    server.get(READY).mock(BACKEND)
    unsent = {"filter": "not (sent_at pr)"}
    paged = server.get(QUEUE, params={**unsent, "count": "1000"})
    paged.side_effect = list(pages)
    server.get(QUEUE, params=unsent).mock(whole)
    return paged


async def test_where_ready_fails_the_unsent_are_listed_and_what_is_held_back_is_left_out(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """The filter also lists what `send_after` still holds back, and a server may list a sent one."""
    later = entry(3, send_after="2026-11-22T00:00:00Z")
    sent = entry(4, sent_at="2026-11-20T00:00:00Z")
    like_kanidm(server, listed([entry(2), entry(1), later, sent], 4))
    found = await source.list_ready(NOW)
    assert [message.id.int for message in found.messages] == [1, 2]


async def test_pages_that_overlap_and_miss_are_taken_together_each_id_once(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """Seen on a real server: 17,591 rows held 15,871 distinct ids (docs/kanidm-wire.md, Listing the queue)."""
    pages = [listed([entry(number) for number in numbers], 2_500) for numbers in ((1, 2, 3), (3, 5), (1, 6))]
    paged = like_kanidm(server, BACKEND, pages)
    found = await source.list_ready(NOW)
    assert [message.id.int for message in found.messages] == [1, 2, 3, 5, 6]
    assert [call.request.url.params["startIndex"] for call in paged.calls] == ["1", "1001", "2001"]
    asked = [call.request.url.params.get("startIndex") for call in server.calls]
    assert asked == [None, None, "1", "1001", "2001"]


async def test_a_page_beyond_the_end_of_a_list_that_has_shrunk_ends_it(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """A real server answers 500 there; what was read before it counts."""
    like_kanidm(server, BACKEND, [listed([entry(1)], 2_500), captured("page: far past the end")])
    found = await source.list_ready(NOW)
    assert [message.id.int for message in found.messages] == [1]


async def test_where_nothing_can_be_listed_the_first_answer_is_the_fault(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """`_ready`'s own 500 is what an operator will find in the server's log."""
    like_kanidm(server, BACKEND, [httpx.Response(503)])
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.ERROR
    assert "500 backend" in fault.detail


async def test_pages_without_an_end_are_not_read_for_ever(server: respx.MockRouter, source: KanidmSource) -> None:
    """A server that promises a thousand million entries and gives none is asked a few times, not a thousand."""
    paged = like_kanidm(server, BACKEND)
    paged.side_effect = lambda _: listed([], 1_000_000_000)
    try:
        await source.list_ready(NOW)
    except ServerFault as fault:
        assert fault.kind in {ServerFaultKind.ERROR, ServerFaultKind.NOT_KANIDM}  # noqa: PT017 - either outcome is right
    assert server.calls.call_count < 20


# The network


EXPIRED = ssl.SSLCertVerificationError(1, "certificate verify failed")
EXPIRED.verify_code, EXPIRED.verify_message = 10, "certificate has expired"
NETWORK = [
    (socket.gaierror(socket.EAI_NONAME, "x"), "its name cannot be resolved"),
    (ConnectionRefusedError(111, "x"), "connection refused"),
    (httpx.ConnectTimeout("x"), "no connection within the time allowed"),
    (httpx.ReadTimeout("x"), "no answer in time"),
    (httpx.ProxyError("407 x"), "the proxy (HTTPS_PROXY) refuses"),
    (httpx.ReadError("x"), "the connection was cut"),
    (httpx.RemoteProtocolError("x"), "the connection was cut, or the answer is not HTTP"),
]


@pytest.mark.parametrize(("error", "detail"), NETWORK, ids=lambda value: type(value).__name__)
async def test_what_the_network_does_is_said_in_words(
    server: respx.MockRouter, source: KanidmSource, error: Exception, detail: str
) -> None:
    """With the server's address, and what to look at; never with what somebody else wrote."""
    server.get(READY).side_effect = error
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.UNREACHABLE
    assert fault.detail == f"{SERVER} cannot be reached: {detail}"
    assert "uri in the client config" in fault.advice


async def test_a_certificate_that_does_not_hold_is_a_fault_of_its_own(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """It is said why, and which key mends it."""
    server.get(READY).side_effect = EXPIRED
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.UNTRUSTED
    assert "it has expired" in fault.detail
    assert "ca_path" in fault.advice


@pytest.mark.parametrize("error", [httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError])
async def test_a_request_on_a_connection_that_was_closed_is_made_once_more(
    server: respx.MockRouter, source: KanidmSource, error: type[Exception]
) -> None:
    """Servers close idle connections; asking twice, or marking twice, does no harm."""
    route = server.post(SENT)
    route.side_effect = [error("closed"), captured("sent")]
    await source.mark_sent(ONE)
    assert route.call_count == 2
    route.side_effect = [error("closed"), error("closed"), captured("sent")]
    with pytest.raises(ServerFault):
        await source.mark_sent(ONE)


async def test_a_call_has_a_deadline_as_a_whole(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the server goes on answering, octet by octet."""

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b" "

    monkeypatch.setattr(kanidm, "_LIST_SECONDS", 0.1)
    server.get(READY).side_effect = lambda _: httpx.Response(200, content=dripping())
    async with asyncio.timeout(3):
        fault = await fault_of_list(source)
    assert fault.detail == f"{SERVER} cannot be reached: no answer in time"


async def test_a_proxy_is_named_where_it_may_be_at_fault_and_its_password_is_not(server: respx.MockRouter) -> None:
    """The proxy comes from the environment, where nobody looks for it."""
    proxied = KanidmSource(
        SourceConfig(SERVER, SecretStr("a-token"), proxy=SecretStr("http://user:a-secret@proxy.example.com:3128"))
    )
    server.get(READY).side_effect = [NOTHING, httpx.ProxyError("407 Proxy Authentication Required")]
    try:
        assert (await proxied.list_ready(NOW)).messages == ()
        fault = await fault_of_list(proxied)
    finally:
        await proxied.close()
    expected = f"{SERVER} (through the proxy of HTTPS_PROXY) cannot be reached: the proxy (HTTPS_PROXY) refuses"
    assert fault.detail == expected
    assert "a-secret" not in str(fault)


def test_a_ca_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(FileNotFoundError):
        KanidmSource(SourceConfig(SERVER, SecretStr("a-token"), ca_path=tmp_path / "missing.pem"))
