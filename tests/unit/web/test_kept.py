"""A response is made once a second, however many ask, and by whoever is still there."""

import asyncio
from dataclasses import dataclass, field

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mail_sender.web import kept
from mail_sender.web.kept import Kept

ASKED = Request({"type": "http"})


@dataclass
class Page:
    """A page that takes its time."""

    made: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def make(self) -> Response:
        """Count, and wait."""
        self.made += 1
        await self.may_end.wait()
        return PlainTextResponse(f"page {self.made}")


async def test_all_who_ask_get_one_response() -> None:
    """Also those who ask while it is being made."""
    page = Page()
    keeping = Kept(page.make)
    answers = [asyncio.ensure_future(keeping.answer(ASKED)) for _ in range(50)]
    await asyncio.sleep(0)
    page.may_end.set()
    assert {(await answer).body for answer in answers} == {b"page 1"}


async def test_a_later_one_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees what is older than that."""
    page = Page()
    page.may_end.set()
    keeping = Kept(page.make)
    monkeypatch.setattr(kept, "SECONDS", 0.0)
    assert [(await keeping.answer(ASKED)).body for _ in range(2)] == [b"page 1", b"page 2"]


async def test_a_client_that_leaves_takes_no_response_from_the_others() -> None:
    """It was being made for it."""
    page = Page()
    keeping = Kept(page.make)
    first, second = (asyncio.ensure_future(keeping.answer(ASKED)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    page.may_end.set()
    assert (await second).body == b"page 2"
