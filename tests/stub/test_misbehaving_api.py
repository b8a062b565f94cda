"""Each rule about the API, seen by a real client over TLS: what it gets, and whether the work was done."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from server_stub.misbehaviour.canned_answer import CHUNK, HUGE_CHUNKS
from tests.support.bad_day import ANSWER, BadApi

READY = "/scim/v1/Message/_ready"
SENT = "/scim/v1/Message/20febc63-5f98-4ce8-9546-065189d25f43/_sent"


async def statuses(client: httpx.AsyncClient, path: str, count: int) -> list[int]:
    return [(await client.get(path)).status_code for _ in range(count)]


async def test_without_rules_everything_behaves(tmp_path: Path) -> None:
    """The application answers as if nothing stood in front of it."""
    bad = BadApi(tmp_path, "")
    async with bad.client() as client:
        answer = await client.get(READY)
    assert (answer.status_code, answer.content, bad.reached) == (200, ANSWER, [READY])


async def test_a_status_is_answered_to_the_calls_that_are_counted(tmp_path: Path) -> None:
    """`after`, `every` and `times` choose among the calls of that name; the work of the others is done."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "ready"\nstatus = 503\nafter = 1\nevery = 2\ntimes = 2\n')
    async with bad.client() as client:
        assert await statuses(client, READY, 7) == [200, 200, 503, 200, 503, 200, 200]
        assert await statuses(client, "/scim/v1/Message", 1) == [200]
    assert bad.reached == [READY] * 5 + ["/scim/v1/Message"]


async def test_a_status_may_say_when_to_come_again(tmp_path: Path) -> None:
    """Retry-After goes out in seconds, and the body is an error as Kanidm writes it."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "any"\nstatus = 429\nretry_after = 7\n')
    async with bad.client() as client:
        answer = await client.get("/status")
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (429, "7", "backend")


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        ("ready", "GET", READY),
        ("list", "GET", "/scim/v1/Message"),
        ("get", "GET", SENT.removesuffix("/_sent")),
        ("sent", "POST", SENT),
        ("send_test", "GET", "/scim/v1/Person/ellie/_message/_send_test"),
        ("send_reset", "POST", "/v1/person/ellie/_credential/_update_intent_send"),
        ("self", "GET", "/v1/self"),
        ("auth", "POST", "/v1/auth"),
        ("auth", "GET", "/v1/jwk/abc"),
        ("entry", "PUT", "/scim/v1/Entry"),
        ("entry", "GET", "/scim/v1/Entry/abc"),
        ("any", "GET", "/nothing"),
    ],
)
async def test_each_name_means_its_call_and_no_other(tmp_path: Path, call: str, method: str, path: str) -> None:
    """A rule acts on the call that it names, whatever the query, and is blind to the rest."""
    bad = BadApi(tmp_path, f'[[api]]\ncall = "{call}"\nstatus = 500\n')
    async with bad.client() as client:
        assert (await client.request(method, f"{path}?count=1")).status_code == 500
        others = {READY, "/scim/v1/Message", "/v1/self", "/nothing"} - {path}
        expected = {500} if call == "any" else {200}
        assert {(await client.get(other)).status_code for other in others} == expected


@pytest.mark.parametrize(
    ("body", "kind", "content"),
    [("html", "text/html", "<html>"), ("empty", None, ""), ("truncated", "application/json", '{"schemas":[],')],
)
async def test_a_body_may_be_anything_but_an_answer(
    tmp_path: Path, body: str, kind: str | None, content: str
) -> None:
    """A proxy's page, nothing or half of a list, whole as far as HTTP goes; 200 unless a status is named."""
    bad = BadApi(tmp_path, f'[[api]]\ncall = "ready"\nbody = "{body}"\n')
    async with bad.client() as client:
        answer = await client.get(READY)
    assert answer.status_code == 200
    assert answer.headers.get("content-type", "").partition(";")[0] == (kind or "")
    assert answer.text.startswith(content)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


async def test_a_body_may_be_huge(tmp_path: Path) -> None:
    """It is streamed, and larger than whatever a client should take in."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "ready"\nbody = "huge"\n')
    async with bad.client() as client, client.stream("GET", READY) as answer:
        size = sum([len(chunk) async for chunk in answer.aiter_raw()])
    assert size > HUGE_CHUNKS * CHUNK > 64 * 2**20


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(tmp_path: Path, status: int) -> None:
    """HTTP forbids one there, and the connection stays usable."""
    bad = BadApi(tmp_path, f'[[api]]\ncall = "ready"\nstatus = {status}\ntimes = 1\n')
    async with bad.client() as client:
        assert await statuses(client, READY, 2) == [status, 200]


async def test_a_cut_before_is_a_closed_connection_and_no_work(tmp_path: Path) -> None:
    """Not a byte comes, and the application is not asked."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "sent"\ncut = "before"\ntimes = 1\n')
    async with bad.client() as client:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.post(SENT)
        assert bad.reached == []
        assert (await client.post(SENT)).status_code == 200


async def test_a_cut_in_the_body_comes_after_half_of_the_real_answer(tmp_path: Path) -> None:
    """The headers promise all of it, half arrives, the connection ends; the work is done."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "ready"\ncut = "in_body"\ntimes = 1\n')
    got = bytearray()

    async def read(answer: httpx.Response) -> None:
        async for chunk in answer.aiter_raw():
            got.extend(chunk)

    async with bad.client() as client:
        async with client.stream("GET", READY) as answer:
            assert answer.headers["content-length"] == str(len(ANSWER))
            with pytest.raises(httpx.RemoteProtocolError):
                await read(answer)
        assert (await client.get(READY)).status_code == 200
    assert got == ANSWER[: len(ANSWER) // 2]
    assert bad.reached == [READY, READY]


async def test_a_lost_answer_belongs_to_work_that_was_done(tmp_path: Path) -> None:
    """The application has acted, and the client sees a closed connection."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "sent"\nlose_answer = true\ntimes = 1\n')
    async with bad.client() as client:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.post(SENT)
        assert bad.reached == [SENT]
        assert (await client.post(SENT)).status_code == 200


async def test_latency_comes_before_whatever_else_happens(tmp_path: Path) -> None:
    """Waits of several rules add up, and the first rule that settles the answer is the one that does."""
    text = '[[api]]\ncall = "any"\nlatency_ms = 200\n[[api]]\ncall = "ready"\nlatency_ms = 100\nstatus = 503\n'
    bad = BadApi(tmp_path, text + '[[api]]\ncall = "ready"\nlatency_ms = 9000\nstatus = 500\n')
    async with bad.client() as client:
        begun = time.monotonic()
        assert await statuses(client, READY, 1) == [503]
        assert 0.3 <= time.monotonic() - begun < 5
    assert [times for _, times in bad.misbehaviour.fired()] == [1, 1, 0]


async def test_one_call_that_waits_does_not_hold_up_another(tmp_path: Path) -> None:
    """Latency is a matter of one request."""
    bad = BadApi(tmp_path, '[[api]]\ncall = "ready"\nlatency_ms = 60000\n')
    async with bad.client() as client:
        slow = asyncio.create_task(client.get(READY))
        assert (await client.get("/status")).status_code == 200
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        bad.misbehaviour.clear()


async def test_other_rules_are_in_force_at_once(tmp_path: Path) -> None:
    """`set` and `clear` count for the next request of an open connection."""
    bad = BadApi(tmp_path, "")
    async with bad.client() as client:
        assert await statuses(client, READY, 1) == [200]
        bad.misbehaviour.set('[[api]]\ncall = "ready"\nstatus = 502\nbody = "html"\n')
        assert await statuses(client, READY, 1) == [502]
        bad.misbehaviour.clear()
        assert await statuses(client, READY, 1) == [200]
