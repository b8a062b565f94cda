"""Lists that a server does not give at once, and what the network makes of a call."""

import asyncio
import errno
import itertools
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import respx

from mail_sender.errors import LedgerFault, ServerFault, ServerFaultKind
from mail_sender.message import Listing, MessageIds
from mail_sender.names.secret import Secret
from mail_sender.source import https, kanidm, wire
from mail_sender.source.base import Known
from mail_sender.source.config import SourceConfig
from mail_sender.source.http_connection import Connection, Cut, NotHttp
from mail_sender.source.kanidm import KanidmSource
from mail_sender.source.network import ConnectTimeout, Network, ProxyRefusal
from tests.unit.source.answering import (
    BACKEND,
    NOTHING,
    NOW,
    ONE,
    QUEUE,
    READY,
    SENT,
    SERVER,
    captured,
    entry,
    fault_of_list,
    listed,
)
from tests.unit.source.routed import connected

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


async def test_a_proxy_that_puts_its_own_page_in_place_of_that_500_does_not_stop_the_list(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """The other ways to read the list are tried all the same."""
    like_kanidm(server, listed([entry(1)], 1))
    server.get(READY).mock(httpx.Response(500, html="<html>Internal Server Error</html>"))
    assert [message.id.int for message in (await source.list_ready(NOW)).messages] == [1]


async def test_pages_are_not_asked_for_without_end(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that drips out page after page does not keep the poll for hours: what was read until then counts."""
    monkeypatch.setattr(kanidm, "_PAGES_SECONDS", -1.0)  # over when the first page has come
    numbers = itertools.count()
    like_kanidm(server, BACKEND).side_effect = lambda _: listed([entry(next(numbers))], 1_000_000)
    assert [message.id.int for message in (await source.list_ready(NOW)).messages] == [0]


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


# Parts


def long_list(count: int) -> httpx.Response:
    """Return a list whose last messages are the oldest ones."""
    old = [f"2026-11-{day:02}T00:00:00Z" for day in range(20, 10, -1)]
    return listed([entry(number, send_after=old[number * 10 // count]) for number in range(count)], count)


async def test_a_long_list_is_handed_over_in_parts(server: respx.MockRouter, source: KanidmSource) -> None:
    """Each sorted by itself, with the server's time; the last one has what is to be said of the whole list."""
    answer = long_list(1_700)
    answer.headers["date"] = "Sat, 21 Nov 2026 11:59:58 GMT"
    server.get(READY).mock(answer)
    parts: list[Listing] = []

    async def take(part: Listing) -> None:
        parts.append(part)

    last = await source.list_ready(NOW, take)
    numbers = [[message.id.int for message in part.messages] for part in (*parts, last)]
    assert sorted(itertools.chain(*numbers)) == list(range(1_700))
    assert all(wire.PART <= len(some) < wire.PART + 200 for some in numbers[:-1])
    assert all(
        [of.send_after for of in part.messages] == sorted(of.send_after for of in part.messages) for part in parts
    )
    assert {part.at for part in (*parts, last)} == {datetime(2026, 11, 21, 11, 59, 58, tzinfo=UTC)}
    assert (len(last.ids), last.newest) == (1_700, datetime(2026, 11, 20, tzinfo=UTC))


async def test_a_list_of_twenty_thousand_takes_little_memory(server: respx.MockRouter, source: KanidmSource) -> None:
    """Less than the answer itself, which comes in pieces and is never held: what is kept of it is ids."""
    text = long_list(20_000).content
    server.get(READY).respond(200, content=pieces(text))
    tracemalloc.start()
    try:
        found = await source.list_ready(NOW)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.ids) == 20_000
    assert most < len(text) * 0.8


async def pieces(text: bytes) -> AsyncIterator[bytes]:
    """Give a body as a network does."""
    for at in range(0, len(text), 16_384):
        yield text[at : at + 16_384]


async def test_who_takes_a_part_may_refuse_it(server: respx.MockRouter, source: KanidmSource) -> None:
    """What it raises ends the listing: the ledger may be full."""
    server.get(READY).mock(long_list(1_000))

    async def take(_: Listing) -> None:
        raise LedgerFault("SQLITE_FULL", "the disk is full", "make room")

    with pytest.raises(LedgerFault):
        await source.list_ready(NOW, take)


# What is known


async def test_what_the_last_list_had_in_the_same_words_is_not_shown_again(
    server: respx.MockRouter, source: KanidmSource
) -> None:
    """It is there all the same. What is new, or has changed in any place, is shown."""
    entries = [entry(number) for number in range(300)]
    entries[5] = entry(5, send_after="2026-11-20T12:00:00Z")
    server.get(READY).mock(listed(entries, 300))
    known = Known((await source.list_ready(NOW)).ids)
    entries[7] = entry(7, mail_destination=[{"primary": True, "value": "other@example.com"}])
    server.get(READY).mock(listed([*entries[:200], entry(300), *entries[201:]], 300))
    found = await source.list_ready(NOW, known=known)
    shown = {message.id.int for message in found.messages}
    assert shown - {299} == {7, 300}  # the last one of a list is not looked up
    assert found.ids == MessageIds(UUID(int=number) for number in range(301) if number != 200)
    assert (found.newest, found.odd) == (datetime(2026, 11, 20, 12, tzinfo=UTC), ())


async def test_the_oldest_ones_are_shown_where_that_is_wanted(server: respx.MockRouter, source: KanidmSource) -> None:
    """By their time, and by their id where that is the same."""
    entries = [entry(number, send_after=f"2026-11-{20 - number % 2}T00:00:00Z") for number in range(40)]
    server.get(READY).mock(listed(entries, 40))
    ids = (await source.list_ready(NOW)).ids
    for count in (3, 20, 25):
        found = await source.list_ready(NOW, known=Known(ids, ids.oldest(count)))
        oldest = [*range(1, 40, 2), *range(0, 40, 2)][:count]
        assert {message.id.int for message in found.messages} - {39} == set(oldest) - {39}
        assert len(found.ids) == 40


async def test_what_is_strange_held_back_or_too_much_is_never_known(
    server: respx.MockRouter, source: KanidmSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that has to be named is named of each list; what is held back by now is not due."""
    strange = entry(2, mail_destination=[{"value": "u2@example.com"}, {"value": 5}])
    entries = [entry(1), strange, entry(3), {"id": "x"}, entry(4)]
    like_kanidm(server, listed(entries, 5))
    first = await source.list_ready(NOW)
    again = await source.list_ready(NOW, known=Known(first.ids))
    assert ([message.id.int for message in again.messages], again.odd) == ([2, 3, 4], first.odd)
    assert (len(first.odd), again.ids == first.ids) == (2, True)
    early = await source.list_ready(datetime(2026, 11, 19, tzinfo=UTC), known=Known(first.ids))
    assert (early.messages, len(early.ids)) == ((), 0)
    monkeypatch.setattr(wire, "MOST_MESSAGES", 2)
    assert len((await source.list_ready(NOW, known=Known(first.ids))).ids) == 2


async def test_a_page_that_is_known_is_no_end_of_the_list(server: respx.MockRouter, source: KanidmSource) -> None:
    """What it has is new to this list; only a page that others have had before ends it."""
    pages = [[entry(number) for number in numbers] for numbers in ((0, 1, 2), (3, 4, 2), (5, 6, 2))]
    answers = [listed(page, 2_500) for page in pages]
    paged = like_kanidm(server, BACKEND, [*answers, *answers])
    known = Known((await source.list_ready(NOW)).ids)
    found = await source.list_ready(NOW, known=known)
    assert (found.ids == known.ids, len(paged.calls)) == (True, 6)


# The network


EXPIRED = ssl.SSLCertVerificationError(1, "certificate verify failed")
EXPIRED.verify_code, EXPIRED.verify_message = 10, "certificate has expired"
NETWORK = [
    (socket.gaierror(socket.EAI_NONAME, "x"), "its name cannot be resolved"),
    (ConnectionRefusedError(111, "x"), "connection refused"),
    (ConnectTimeout("x"), "no connection within the time allowed"),
    (TimeoutError("x"), "no answer in time"),
    (ProxyRefusal(407), "the proxy refuses (407)"),
    (OSError(errno.EHOSTUNREACH, "x"), "the connection was cut"),
    (Cut("x"), "the connection was cut"),
    (NotHttp("x"), "its answer is not HTTP"),
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
    """It is said why, and what mends it."""
    server.get(READY).side_effect = EXPIRED
    fault = await fault_of_list(source)
    assert fault.kind is ServerFaultKind.UNTRUSTED
    assert "it has expired" in fault.detail
    assert "renew the certificate" in fault.advice


@pytest.mark.parametrize("error", [Cut, NotHttp])
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


@pytest.mark.parametrize(("kept_seconds", "connections"), [(30.0, 1), (-1.0, 3)])
async def test_a_connection_is_kept_for_the_next_call_but_not_for_ever(
    server: respx.MockRouter,
    source: KanidmSource,
    monkeypatch: pytest.MonkeyPatch,
    kept_seconds: float,
    connections: int,
) -> None:
    """One that nobody used for long may be dead without a word; it is closed, and another one is made."""
    made: list[Connection] = []

    async def connect(_: Network) -> Connection:
        made.append(connected(server))
        return made[-1]

    monkeypatch.setattr(Network, "connect", connect)
    monkeypatch.setattr(https, "_KEPT_SECONDS", kept_seconds)
    server.post(SENT).mock(captured("sent"))
    for _ in range(3):
        await source.mark_sent(ONE)
    assert [one.is_reusable for one in made] == [False] * (connections - 1) + [True]
    await source.close()
    assert not made[-1].is_reusable


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
        SourceConfig(SERVER, Secret("a-token"), proxy=Secret("http://user:a-secret@proxy.example.com:3128"))
    )
    server.get(READY).side_effect = [NOTHING, ProxyRefusal(407)]
    try:
        assert (await proxied.list_ready(NOW)).messages == ()
        fault = await fault_of_list(proxied)
    finally:
        await proxied.close()
    expected = f"{SERVER} (through the proxy of HTTPS_PROXY) cannot be reached: the proxy refuses (407)"
    assert fault.detail == expected
    assert "NO_PROXY" in fault.advice
    assert "a-secret" not in str(fault)


def test_a_ca_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(FileNotFoundError):
        KanidmSource(SourceConfig(SERVER, Secret("a-token"), ca_path=tmp_path / "missing.pem"))
