"""The queue of a Kanidm server (docs/kanidm-wire.md).

There are three ways to read the list; each is tried if the one before it failed:

1. `_ready`: one answer, all of it. At 16,384 unsent messages the server answers 500.
2. `Message?filter=not (sent_at pr)`: one answer again; what is held back by `send_after` is left out here.
3. The same in pages. Pages of a real server overlap and miss entries, so each id is taken once. An entry that no page
   has is not gone: the next poll reads the pages again.

A list is decoded as it arrives, a few entries at a time, so that mail and marks go on beside a list of any length. It
is handed over in parts, so that it takes little memory. `https` makes the calls, `answers` says what answers mean;
every fault is a `ServerFault`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from mail_sender.errors import MessageGone, ServerFault
from mail_sender.message import Found, Listing
from mail_sender.source import answers, decoding, wire
from mail_sender.source.base import NOTHING, Known, Standing, Take, dropped
from mail_sender.source.config import SourceConfig
from mail_sender.source.https import CALL_SECONDS, OK, Answer, HttpsClient, ServerFacts, target
from mail_sender.source.list_answer import ListAnswer

_QUEUE = "/scim/v1/Message"
_READY = f"{_QUEUE}/_ready"
_UNSENT = "not (sent_at pr)"
_INTERNAL_ERROR = 500
_PAGE = 1_000  # entries
_MOST_PAGES = 1_000
_LARGEST_LIST = 64 * 2**20  # octets; 17,000 messages are 5.5 MB
_AT_A_TIME = 100  # entries, between two of which the loop goes on: a few milliseconds
_LARGEST_ANSWER = 2**20  # octets of any other answer, and of an error
_LIST_SECONDS = 120.0
_PAGES_SECONDS = 600.0  # after that, no further page is asked for


class KanidmSource:
    """A Kanidm server. Raises `OSError` or `tls.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._server = config.uri
        self._https = HttpsClient(config)

    async def standing(self) -> Standing:
        """Return who we are (`/v1/self`), and whether the token may write (`extAccessCheck` on our own entry)."""
        found, answer = await self._call("GET", "/v1/self")
        try:
            attributes = answer["youare"]["attrs"]  # type: ignore[index]  # anything else is not Kanidm
            account = str(attributes["name"][0])
            groups = frozenset(str(group).partition("@")[0] for group in attributes.get("memberof", []))
        except (KeyError, IndexError, TypeError, AttributeError):
            account, groups = "", frozenset()
        if not account or not account.isprintable():
            raise answers.not_kanidm(self._server, "/v1/self answered something that is not an account")
        return replace(answers.standing(account, groups, await self._may_write(account)), at=found.date)

    async def list_ready(self, now: datetime, take: Take = dropped, known: Known = NOTHING) -> Listing:
        """Return what is ready; the module's text says how."""
        taking = _Taking(wire.Reading(known=known), take)
        answer = await self._list(target(_READY), taking)
        if answer.status == _INTERNAL_ERROR:
            return await self._long_list(self._fault(answer), lambda: _Taking(wire.Reading(now, known), take))
        if answer.status != OK:
            raise self._fault(answer)
        return taking.listing()

    async def read(self, message: UUID) -> Found:
        """Return one message (docs/kanidm-wire.md, Reading one message)."""
        answer = await self._call_about(message, "GET")
        try:
            return wire.found(answer, message)
        except wire.Unread as fault:
            raise answers.not_kanidm(self._server, f"message {message} cannot be read: {fault}") from None

    async def mark_sent(self, message: UUID) -> None:
        """Mark the message as sent: `null` is the only yes (docs/kanidm-wire.md, Marking as sent)."""
        if await self._call_about(message, "POST", "/_sent") is not None:
            raise answers.not_kanidm(self._server, "it answers a mark with JSON that is not Kanidm's")

    @property
    def facts(self) -> ServerFacts:
        """What the last answer showed of the server: its certificate, version and time."""
        return self._https.facts

    async def close(self) -> None:
        """Close the connections."""
        await self._https.close()

    async def _may_write(self, account: str) -> bool | None:
        path = f"/scim/v1/Entry/{quote(account, safe='')}"
        answer, entry = await self._call("GET", path, {"extAccessCheck": "true"}, accept=(200, 400, 404))
        access = entry.get("extAccessCheck") if answer.status == OK and isinstance(entry, dict) else None
        if not isinstance(access, dict) or "modifyPresent" not in access:
            return None
        return bool(access["modifyPresent"] != "Deny")

    async def _long_list(self, first: ServerFault, begun: Callable[[], "_Taking"]) -> Listing:
        taking = begun()
        try:
            await self._page({"filter": _UNSENT}, taking)
        except ServerFault:
            taking = begun()
            await self._pages(first, taking)
        return taking.listing()

    async def _pages(self, first: ServerFault, taking: "_Taking") -> None:
        ends = time.monotonic() + _PAGES_SECONDS
        for number in range(_MOST_PAGES):
            if number and (not taking.new or number * _PAGE >= taking.total or time.monotonic() > ends):
                return
            try:
                query = {"filter": _UNSENT, "count": str(_PAGE), "startIndex": str(number * _PAGE + 1)}
                await self._page(query, taking)
            except ServerFault:
                if number == 0:
                    raise first from None
                return  # beyond its end, a list that has shrunk meanwhile answers 500

    async def _page(self, query: Mapping[str, str], taking: "_Taking") -> None:
        answer = await self._list(target(_QUEUE, query), taking)
        if answer.status != OK:
            raise self._fault(answer)

    async def _list(self, of: str, taking: "_Taking") -> Answer:
        """Have a list, or a page of one, read; another status is returned. Raises `ServerFault` if it is none."""
        try:
            return await self._https.ask("GET", of, seconds=_LIST_SECONDS, most=_LARGEST_LIST, read=taking.read)
        except decoding.NotAList:
            detail = f"{of.partition('?')[0]} answers 200, but not with a list of messages"
            raise answers.not_kanidm(self._server, detail) from None
        except decoding.TooLarge:
            raise self._https.too_large(_LARGEST_LIST) from None

    async def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, *, accept: tuple[int, ...] = (OK,)
    ) -> tuple[Answer, object]:
        """Return the answer of one call, and its JSON.

        Raises `ServerFault` for every status that is not in `accept`, and for 200 with what is not JSON.
        """
        answer = await self._https.ask(method, target(path, query), seconds=CALL_SECONDS, most=_LARGEST_ANSWER)
        if answer.status not in accept:
            raise self._fault(answer)
        found = self._json(answer)
        if answer.status == OK and found is decoding.UNREADABLE:
            raise answers.not_kanidm(self._server, f"{path} answers 200, but not with JSON")
        return answer, found

    async def _call_about(self, message: UUID, method: str, path: str = "") -> object:
        """Return the JSON of a call about one message. Raises `MessageGone` on Kanidm's own word alone."""
        answer, found = await self._call(method, f"{_QUEUE}/{message}{path}", accept=(200, 404))
        if answers.is_gone(answer.status, found):
            raise MessageGone
        if answer.status == 404:
            raise self._fault(answer)
        return found

    def _fault(self, answer: Answer) -> ServerFault:
        return answers.fault(self._server, answer.status, self._json(answer), answer.headers)

    def _json(self, answer: Answer) -> object:
        try:
            return decoding.whole(answer.text(_LARGEST_ANSWER))
        except decoding.TooLarge:
            return decoding.UNREADABLE


class _Taking:
    """A list on its way from the octets of its answers to who takes its parts.

    Of the answer that was read last: how many of its entries were new, and how many the server has.
    """

    def __init__(self, reading: wire.Reading, take: Take) -> None:
        self.new = 0
        self.total = 0
        self._reading = reading
        self._take = take
        self._answer: Answer | None = None

    async def read(self, answer: Answer, octets: AsyncIterator[bytes]) -> None:
        """Read an answer. Raises `NotAList` and `TooLarge`, be it behind its last entry, and what `take` raises."""
        before, self._answer = self._reading.new, answer
        found, texts = ListAnswer(self._reading.is_known), decoding.Texts(answer.charset)
        unpacking = decoding.Unpacking(answer.headers.get("content-encoding", ""), _LARGEST_LIST)
        async for chunk in _together(octets):
            for piece in unpacking.feed(chunk):
                await self._entries(found, texts.feed(piece))
        unpacking.close()
        await self._entries(found, texts.feed(b"", is_last=True))
        found.close()
        self.new, self.total = self._reading.new - before, found.total

    def listing(self) -> Listing:
        """Return the part that was not taken yet, and what is to be said of the list."""
        return replace(self._reading.listing(), at=self._answer.date if self._answer else None)

    async def _entries(self, found: ListAnswer, text: str) -> None:
        for number, entry in enumerate(found.feed(text), 1):
            self._reading.take(entry, found.entry)
            if number % _AT_A_TIME == 0:
                await self._pause()
        await self._pause()

    async def _pause(self) -> None:
        """Hand a part over if there is one; mail and marks go on."""
        if self._reading.is_full:
            await self._take(self.listing())
        await asyncio.sleep(0)


async def _together(octets: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what arrives in pieces that are worth a step."""
    waiting = bytearray()
    async for chunk in octets:
        waiting += chunk
        if len(waiting) >= decoding.STEP:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)
