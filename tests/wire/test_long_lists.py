"""Lists that a server cannot give in one answer: read another way, deduplicated, and never read as complete."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from pydantic import SecretStr

from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from tests.support.scripted_server import Answer, Respond, ScriptedServer

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BACKEND = Answer(500, b'"backend"')


def entry(number: int, **more: object) -> dict[str, object]:
    return {
        "schemas": [],
        "id": str(UUID(int=number)),
        "send_after": "2026-11-20T00:00:00Z",
        "delete_after": "2026-11-27T00:00:00Z",
        "mail_destination": [{"primary": True, "value": f"u{number}@example.com"}],
        "message_template": {"TestMessageV1": {"display_name": "x"}},
        **more,
    }


def listed(entries: Sequence[object], total: int) -> Answer:
    return Answer(body=json.dumps({"schemas": [], "totalResults": total, "resources": list(entries)}).encode())


def like_kanidm(whole: Answer, pages: Iterator[Answer]) -> Respond:
    """Answer `_ready` with 500, the unpaged list with `whole`, and each page with the next of `pages`."""

    def respond(_method: str, path: str) -> Answer:
        query = parse_qs(urlsplit(path).query)
        if path.endswith("_ready"):
            return BACKEND
        assert query["filter"] == ["not (sent_at pr)"]
        return next(pages) if "count" in query else whole

    return respond


@asynccontextmanager
async def source(server: ScriptedServer) -> AsyncIterator[KanidmSource]:
    made = KanidmSource(SourceConfig(server.url, SecretStr("token")))
    yield made
    await made.close()


async def test_where_ready_fails_the_unsent_are_listed_and_what_is_held_back_is_left_out() -> None:
    """The filter also lists what `send_after` still holds back, and a server may list a sent one."""
    later = entry(3, send_after="2026-11-22T00:00:00Z")
    sent = entry(4, sent_at="2026-11-20T00:00:00Z")
    whole = listed([entry(2), entry(1), later, sent], 4)
    with ScriptedServer(like_kanidm(whole, iter(()))) as server:
        async with source(server) as kanidm:
            found = await kanidm.list_ready(NOW)
    assert [message.id.int for message in found.messages] == [1, 2]


async def test_pages_that_overlap_and_miss_are_taken_together_each_id_once() -> None:
    """Seen on a real server: 17,591 rows held 15,871 distinct ids."""
    pages = iter([listed([entry(number) for number in numbers], 2_500) for numbers in ((1, 2, 3), (3, 5), (1, 6))])
    with ScriptedServer(like_kanidm(BACKEND, pages)) as server:
        async with source(server) as kanidm:
            found = await kanidm.list_ready(NOW)
    assert [message.id.int for message in found.messages] == [1, 2, 3, 5, 6]
    starts = [parse_qs(urlsplit(path).query).get("startIndex") for _, path in server.requests]
    assert starts == [None, None, ["1"], ["1001"], ["2001"]]


async def test_a_page_beyond_the_end_of_a_list_that_has_shrunk_ends_it() -> None:
    """A real server answers 500 there; what was read before it counts."""
    pages = iter([listed([entry(1)], 2_500), Answer(500, b'"sc0029paginationoutofbounds"')])
    with ScriptedServer(like_kanidm(BACKEND, pages)) as server:
        async with source(server) as kanidm:
            found = await kanidm.list_ready(NOW)
    assert [message.id.int for message in found.messages] == [1]


async def test_where_nothing_can_be_listed_the_first_answer_is_the_trouble() -> None:
    """`_ready`'s own 500 is what an operator will find in the server's log."""
    with ScriptedServer(like_kanidm(BACKEND, iter([Answer(503, b"")]))) as server:
        async with source(server) as kanidm:
            with pytest.raises(ServerFault) as caught:
                await kanidm.list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.ERROR
    assert "500 backend" in caught.value.detail
