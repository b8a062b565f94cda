"""The queue of a Kanidm server (docs/kanidm-wire.md).

There are three ways to read the list; each is tried if the one before it failed:

1. `_ready`: one answer, all of it. At 16,384 unsent messages the server answers 500.
2. `Message?filter=not (sent_at pr)`: one answer again; what is held back by `send_after` is left out here.
3. The same in pages. Pages of a real server overlap and miss entries, so each id is taken once. An entry that no page
   has is not gone: the next poll reads the pages again.

A list is decoded in a thread, so that mail and marks go on beside a list of any length. `https` makes the calls,
`answers` says what answers mean; every fault is a `ServerFault`.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote
from uuid import UUID

from mail_sender.errors import MessageGone, ServerFault
from mail_sender.message import Found, Listing
from mail_sender.source import answers, decoding, wire
from mail_sender.source.base import Standing
from mail_sender.source.config import SourceConfig
from mail_sender.source.https import CALL_SECONDS, Answer, HttpsClient, ServerFacts

_QUEUE = "/scim/v1/Message"
_READY = f"{_QUEUE}/_ready"
_UNSENT = "not (sent_at pr)"
_PAGE = 1_000  # entries
_MOST_PAGES = 1_000
_LARGEST_LIST = 64 * 2**20  # octets; 17,000 messages are 5.5 MB
_LARGEST_ANSWER = 2**20  # octets of any other answer, and of an error
_LIST_SECONDS = 120.0
_PAGES_SECONDS = 600.0  # after that, no further page is asked for

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Page:
    """What was read of a list: how many of its entries are new, how many the server has, and its time."""

    new: int
    total: int
    date: datetime | None


class KanidmSource:
    """A Kanidm server. Raises `OSError` or `tls.BadPem` if `ca_path` cannot be used."""

    def __init__(self, config: SourceConfig) -> None:
        self._server = config.uri
        self._https = HttpsClient(config)

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
        answer = await self._list(_READY, {})
        if answer.status == 500:
            reading = wire.Reading(now)
            page = await self._long_list(self._fault(answer), reading)
        else:
            reading = wire.Reading()
            page = await self._page(_READY, answer, reading)
        return replace(await _in_thread(reading, reading.listing), at=page.date)

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
        access = entry.get("extAccessCheck") if answer.status == 200 and isinstance(entry, dict) else None
        if not isinstance(access, dict) or "modifyPresent" not in access:
            return None
        return bool(access["modifyPresent"] != "Deny")

    async def _long_list(self, first: ServerFault, reading: wire.Reading) -> _Page:
        try:
            return await self._page(_QUEUE, await self._list(_QUEUE, {"filter": _UNSENT}), reading)
        except ServerFault:
            return await self._pages(first, reading)

    async def _pages(self, first: ServerFault, reading: wire.Reading) -> _Page:
        ends = time.monotonic() + _PAGES_SECONDS

        async def read(number: int) -> _Page:
            query = {"filter": _UNSENT, "count": str(_PAGE), "startIndex": str(number * _PAGE + 1)}
            return await self._page(_QUEUE, await self._list(_QUEUE, query), reading)

        try:
            page = await read(0)
        except ServerFault:
            raise first from None
        for number in range(1, _MOST_PAGES):
            if not page.new or number * _PAGE >= page.total or time.monotonic() > ends:
                break
            try:
                page = await read(number)
            except ServerFault:
                break  # beyond its end, a list that has shrunk meanwhile answers 500
        return page

    async def _list(self, path: str, query: dict[str, str]) -> Answer:
        return await self._https.ask("GET", path, query, seconds=_LIST_SECONDS, most=_LARGEST_LIST)

    async def _page(self, path: str, answer: Answer, reading: wire.Reading) -> _Page:
        """Have a list read, or one page of it. Raises `ServerFault` if it is none."""
        if answer.status != 200:
            raise self._fault(answer)

        def read() -> _Page:
            found = decoding.ListAnswer(answer.text(_LARGEST_LIST))
            new = reading.take(found)
            return _Page(new, found.total, answer.date)

        try:
            return await _in_thread(reading, read)
        except decoding.NotAList:
            raise answers.not_kanidm(self._server, f"{path} answers 200, but not with a list of messages") from None
        except decoding.TooLarge:
            raise self._https.too_large(_LARGEST_LIST) from None

    async def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, *, accept: tuple[int, ...] = (200,)
    ) -> tuple[Answer, object]:
        """Return the answer of one call, and its JSON.

        Raises `ServerFault` for every status that is not in `accept`, and for 200 with what is not JSON.
        """
        answer = await self._https.ask(method, path, query, seconds=CALL_SECONDS, most=_LARGEST_ANSWER)
        if answer.status not in accept:
            raise self._fault(answer)
        found = self._json(answer)
        if answer.status == 200 and found is decoding.UNREADABLE:
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


async def _in_thread(reading: wire.Reading, work: Callable[[], _Result]) -> _Result:
    """Have a list worked on while the loop goes on; the thread ends soon after its caller was cancelled."""
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        reading.is_unwanted = True
        raise
