"""What the source makes of answers, faults and proxies; the server is `respx`, and no socket is opened.

Real connections (TLS, a tunnel, a cut) are in `tests/wire/test_server_connections.py`, a whole server in
`tests/contract/test_source_contract.py`.
"""

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
import respx

from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind
from mail_sender.source import kanidm
from mail_sender.source.base import Standing
from mail_sender.source.https import Answer
from mail_sender.source.kanidm import KanidmSource
from tests.unit.source.answering import (
    BACKEND,
    NOTHING,
    NOW,
    ONE,
    QUEUE,
    READY,
    SENT,
    SERVER,
    account,
    captured,
    entry,
    fault_of_list,
    listed,
)


async def test_a_request_has_the_token_and_no_cookie_and_names_the_codings_that_are_undone(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """A session that somebody in between sets is not ours, and kept cookies only grow."""
    route = server.get(READY).mock(NOTHING)
    route.side_effect = lambda _: httpx.Response(200, json={"resources": []}, headers={"set-cookie": "c=x"})
    for _ in range(3):
        await source.list_ready(NOW)
    for call in route.calls:
        assert call.request.headers["authorization"] == "Bearer a-token"
        assert call.request.headers["accept-encoding"] == "gzip, deflate"
        assert "cookie" not in call.request.headers


async def test_a_redirect_is_not_followed(server: respx.MockRouter, source: KanidmSource) -> None:
    """The token would go along."""
    server.get(READY).respond(302, headers={"location": f"{SERVER}/login"})
    login = server.get("/login").respond(200)
    assert (await fault_of_list(source)).kind is ServerFaultKind.NOT_KANIDM
    assert not login.called


@pytest.mark.parametrize(
    ("account", "token", "kind"),
    [
        ("sender", "readwrite", None),
        ("sender", "readonly", ServerFaultKind.TOKEN_READ_ONLY),
        ("outsider", "outsider", ServerFaultKind.NOT_A_SENDER),
    ],
)
async def test_the_standing_is_read_from_what_kanidm_says(
    server: respx.MockRouter, source: KanidmSource, account: str, token: str, kind: ServerFaultKind | None
) -> None:
    """The account and its groups, and whether the token may write."""
    server.get("/v1/self").mock(captured(f"self: {account}"))
    server.get(path__startswith="/scim/v1/Entry/", params={"extAccessCheck": "true"}).mock(
        captured(f"own entry with extAccessCheck: token {token}")
    )
    if kind is None:
        assert await source.standing() == Standing("mail-sender", may_write=True)
        return
    with pytest.raises(ServerFault) as caught:
        await source.standing()
    assert caught.value.kind is kind


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


async def test_a_message_that_the_server_does_not_know_is_gone(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """404 when it is read and when it is marked."""
    server.get(f"{QUEUE}/{ONE}").mock(captured("get: unknown"))
    server.post(SENT).mock(captured("sent: unknown"))
    for call in (source.read, source.mark_sent):
        with pytest.raises(MessageGone):
            await call(ONE)


FOREIGN: dict[str, Callable[[int], httpx.Response]] = {
    "HTML": lambda status: httpx.Response(status, html="<html><h1>Not found</h1></html>"),
    "nothing": httpx.Response,
    "a text": lambda status: httpx.Response(status, text="Route not found"),
    "null": lambda status: httpx.Response(status, json=None, content=b"null"),
    "a gateway's JSON": lambda status: httpx.Response(status, json={"message": "no Route matched with those values"}),
    "a word of somebody else's": lambda status: httpx.Response(status, json="Unauthorized"),
    "a word for another status": lambda status: httpx.Response(status, json="backend"),
    "a problem": lambda status: httpx.Response(status, json={"type": "about:blank", "title": "x", "status": status}),
    "an error": lambda status: httpx.Response(status, json={"error": "notfound"}),
    "a list": lambda status: httpx.Response(status, json=["nomatchingentries"]),
    "HTML that quotes it": lambda status: httpx.Response(status, html='<p>"nomatchingentries"'),
}


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("name", FOREIGN)
async def test_a_refusal_in_other_words_than_kanidms_is_somebody_elses(
    server: respx.MockRouter, source: KanidmSource, name: str, status: int
) -> None:
    """Neither is the message gone nor the token bad: a proxy answers, whatever is asked."""
    server.route(path__in=["/v1/self", READY, f"{QUEUE}/{ONE}", SENT]).mock(FOREIGN[name](status))
    for call in (source.list_ready(NOW), source.standing(), source.read(ONE), source.mark_sent(ONE)):
        with pytest.raises(ServerFault) as caught:
            await call
        assert caught.value.kind is ServerFaultKind.NOT_KANIDM
        assert "not Kanidm: a proxy in front?" in caught.value.detail
        assert str(status) in caught.value.detail


PORTALS: dict[str, httpx.Response] = {
    "a login page": httpx.Response(200, html="<html>please log in</html>"),
    "JSON of another product": httpx.Response(200, json={"login": "required"}),
    "a redirect": httpx.Response(302, headers={"location": "http://portal.example/"}),
    "network authentication required": httpx.Response(511, html="<html>portal</html>"),
    "a page for a crash": httpx.Response(500, html="<html>Internal Server Error</html>"),
    "JSON for a crash": httpx.Response(500, json={"timestamp": 5, "status": 500, "error": "x"}),
    "an unknown 5xx": httpx.Response(520, html="<html>Web server is returning an unknown error</html>"),
    "nothing": httpx.Response(200),
    "half of it": httpx.Response(206, json={"resources": []}),
}


@pytest.mark.parametrize("name", PORTALS)
async def test_what_a_portal_or_a_proxy_answers_in_kanidms_place_is_named(
    server: respx.MockRouter, source: KanidmSource, name: str
) -> None:
    """On listing, reading and marking alike; it is never a mark, nor a message that is gone."""
    server.route().mock(PORTALS[name])
    for call in (source.list_ready(NOW), source.standing(), source.read(ONE), source.mark_sent(ONE)):
        with pytest.raises(ServerFault) as caught:
            await call
        assert caught.value.kind is ServerFaultKind.NOT_KANIDM
        assert "a proxy in front?" in caught.value.detail


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_proxy_that_is_overloaded_is_named_as_one(
    server: respx.MockRouter, source: KanidmSource, status: int
) -> None:
    """It usually passes by itself; that it is not Kanidm's own answer is said."""
    server.get(READY).mock(httpx.Response(status, html="<html>Bad Gateway</html>"))
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.OVERLOADED
    assert "an HTML page (not Kanidm: a proxy in front?)" in fault.detail


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, content=b""), ServerFaultKind.NOT_KANIDM),
        (httpx.Response(204), ServerFaultKind.NOT_KANIDM),
        (BACKEND, ServerFaultKind.ERROR),
        (captured("sent: token readonly"), ServerFaultKind.TOKEN_READ_ONLY),
        (captured("sent: token none"), ServerFaultKind.TOKEN_REFUSED),
        (httpx.Response(200, json={"status": "ok"}), ServerFaultKind.NOT_KANIDM),
        (httpx.Response(200, html="<p>ok"), ServerFaultKind.NOT_KANIDM),
    ],
    ids=["empty", "204", "500", "403", "401", "other JSON", "HTML"],
)
async def test_only_200_and_null_is_a_mark(
    server: respx.MockRouter, source: KanidmSource, answer: httpx.Response, kind: ServerFaultKind
) -> None:
    """Anything else is a fault, and the message stays to be marked."""
    server.post(SENT).mock(answer)
    with pytest.raises(ServerFault) as caught:
        await source.mark_sent(ONE)
    assert caught.value.kind is kind


async def test_a_list_comes_with_the_servers_time(server: respx.MockRouter, source: KanidmSource) -> None:
    """From its Date header (RFC 9110, section 6.6.1)."""
    answer = captured("ready: test and reset")
    answer.headers["date"] = "Sat, 21 Nov 2026 11:59:58 GMT"
    server.get(READY).mock(answer)
    found = await source.list_ready(NOW)
    assert len(found.messages) == 3
    assert found.at == datetime(2026, 11, 21, 11, 59, 58, tzinfo=UTC)


def test_the_servers_time_goes_on_while_a_long_list_arrives() -> None:
    """Its Date was written when it began: it is not a server whose clock stands still."""
    headers = {"date": "Sat, 21 Nov 2026 11:59:58 GMT"}
    answer = Answer(time.monotonic() - 90.5, 200, headers, b"")
    assert answer.date == datetime(2026, 11, 21, 12, 1, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>please log in</html>", headers={"content-type": "text/html"}),
        captured("unknown route"),
        httpx.Response(200, json={"hello": "world"}),
        httpx.Response(200, content=b"[" * 100_000),
        # 3 kB of it can hold 2 GB: it is neither unpacked nor believed.
        httpx.Response(
            200,
            headers={"content-encoding": "gzip, gzip"},
            stream=httpx.ByteStream(gzip.compress(gzip.compress(b"[]"))),
        ),
    ],
    ids=["html", "404", "other json", "nested", "compressed"],
)
async def test_what_is_not_kanidm_is_said_to_be_none(
    server: respx.MockRouter, source: KanidmSource, answer: httpx.Response
) -> None:
    """A login page, a proxy, another server."""
    server.get(path__in=["/v1/self", READY]).side_effect = lambda _: answer
    for call in (source.list_ready(NOW), source.standing()):
        with pytest.raises(ServerFault) as caught:
            await call
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


async def test_an_answer_is_read_up_to_a_limit(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MiB, here 1 MiB: the rest is left where it is."""
    monkeypatch.setattr(kanidm, "_LARGEST_LIST", 2**20)
    server.get(READY).respond(200, content=bytes(2**20 + 1))
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.UNREACHABLE
    assert "larger than 1 MiB" in fault.detail


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_undone(server: respx.MockRouter, source: KanidmSource, coding: str) -> None:
    """A proxy may compress what Kanidm does not; lists, single answers and refusals are the same."""

    def compressed(answer: httpx.Response) -> httpx.Response:
        stream = httpx.ByteStream((gzip if coding == "gzip" else zlib).compress(answer.content))
        return httpx.Response(answer.status_code, headers={"content-encoding": coding}, stream=stream)

    server.get(READY).mock(compressed(captured("ready: test and reset")))
    server.post(SENT).mock(compressed(captured("sent")))
    server.get(f"{QUEUE}/{ONE}").mock(compressed(captured("get: unknown")))
    assert len((await source.list_ready(NOW)).messages) == 3
    await source.mark_sent(ONE)
    with pytest.raises(MessageGone):
        await source.read(ONE)


async def test_a_compressed_answer_is_unpacked_up_to_the_same_limit(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of nothing compresses to a kilobyte."""
    monkeypatch.setattr(kanidm, "_LARGEST_LIST", 2**20)
    headers = {"content-encoding": "gzip"}
    server.get(READY).side_effect = lambda _: httpx.Response(
        200, headers=headers, stream=httpx.ByteStream(gzip.compress(b" " * (2**20 + 1)))
    )
    assert "larger than 1 MiB" in (await fault_of_list(source)).detail
    server.get(f"{QUEUE}/{ONE}").mock(
        httpx.Response(200, headers=headers, stream=httpx.ByteStream(gzip.compress(bytes(2**20 + 1))))
    )
    with pytest.raises(ServerFault):
        await source.read(ONE)


async def test_an_error_that_is_too_large_to_read_still_has_its_status(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the wait that it asks for."""
    monkeypatch.setattr(kanidm, "_LARGEST_ANSWER", 1024)
    server.post(SENT).respond(503, content=bytes(5000), headers={"retry-after": "120"})
    with pytest.raises(ServerFault) as caught:
        await source.mark_sent(ONE)
    assert caught.value.retry_after == 120.0


async def test_the_loop_goes_on_while_a_huge_list_is_decoded(server: respx.MockRouter, source: KanidmSource) -> None:
    """A hundred thousand empty entries, with a good one at their end: polling them stops neither mail nor marks."""
    entries = ",".join(["{}"] * 100_000 + [json.dumps(entry(1))])
    server.get(READY).respond(200, content=f'{{"resources": [{entries}]}}'.encode())
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - began)

    ticking = asyncio.ensure_future(tick())
    began = time.monotonic()
    found = await source.list_ready(NOW)
    took = time.monotonic() - began
    ticking.cancel()
    assert [message.id.int for message in found.messages] == [1]
    assert (len(found.odd), found.more_odd) == (1, 99_999)
    assert 0 < longest < took / 2


async def test_a_list_of_seventeen_thousand_messages_is_read_fast(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """The most that a Kanidm has, and a little more."""
    server.get(READY).mock(listed([entry(number) for number in range(17_000)], 17_000))
    began = time.process_time()
    assert len((await source.list_ready(NOW)).ids) == 17_000
    assert time.process_time() - began < 4.0
