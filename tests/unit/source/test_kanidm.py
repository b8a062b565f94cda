"""What the source makes of answers, faults and proxies; the server is `respx`, and no socket is opened.

Real connections (TLS, a tunnel, a cut) are in `tests/wire/test_server_connections.py`, a whole server in
`tests/contract/test_source_contract.py`.
"""

import gzip
import json
from datetime import UTC, datetime

import httpx
import pytest
import respx

from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind
from mail_sender.source import kanidm
from mail_sender.source.base import Standing
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
    fault_of_list,
)


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


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, content=b""), ServerFaultKind.NOT_KANIDM),
        (httpx.Response(204), ServerFaultKind.NOT_KANIDM),
        (BACKEND, ServerFaultKind.ERROR),
        (captured("sent: token readonly"), ServerFaultKind.TOKEN_READ_ONLY),
        (captured("sent: token none"), ServerFaultKind.TOKEN_REFUSED),
    ],
    ids=["empty", "204", "500", "403", "401"],
)
async def test_only_200_and_json_is_a_mark(
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


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>please log in</html>", headers={"content-type": "text/html"}),
        captured("unknown route"),
        httpx.Response(200, json={"hello": "world"}),
        httpx.Response(200, content=b"[" * 100_000),
        # Not asked for, and 3 kB can hold 2 GB: it is neither unpacked nor believed.
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
    """64 MiB, here 1 KiB: the rest is left where it is."""
    monkeypatch.setattr(kanidm, "_LARGEST_ANSWER", 1024)
    server.get(READY).respond(200, content=bytes(1025))
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.UNREACHABLE
    assert "larger than 64 MiB" in fault.detail
