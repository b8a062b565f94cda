"""A queue in memory that answers as a server would, or as a test has scripted."""

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind
from mail_sender.message import Found, Listing, Message, MessageIds, OddEntry
from mail_sender.source.base import NOTHING, Known, Standing, Take, dropped

Call = Literal["standing", "list_ready", "read", "mark_sent"]
SENDER = Standing("mail-sender", may_write=True)
MARKED = datetime(2026, 11, 21, tzinfo=UTC)


class MemorySource:
    """Messages in memory.

    `calls` names every call in order, `times` when each came (the loop's seconds), `marks` every message that was to
    be marked, whether that came through or not, `sent` those that are marked, by us or by others; what is deleted is
    taken out of `messages`. `shown` is how many messages each list had that were not known.

    What is `unlisted` is left out of the list, and can be read all the same. `down` is raised by every call while it
    is set. Without `has_group`, everything is hidden as Kanidm hides it. With `forgetful`, what is marked is still
    listed (a lagging replica). Each mark of a `cursed` message raises that fault. `slow` are seconds that a call
    takes; infinity hangs. A list is handed over in parts of `part` messages, in the order of `messages`, with `part_seconds` after each. `date` is the server's own clock, which each listing has; `proxy_date` is what a proxy in front
    of it writes in its place.
    """

    def __init__(self, messages: Iterable[Message] = (), odd: Iterable[OddEntry] = ()) -> None:
        self.messages = list(messages)
        self.odd = tuple(odd)
        self.account = SENDER
        self.down: ServerFault | None = None
        self.has_group = True
        self.forgetful = False
        self.unlisted: set[UUID] = set()
        self.cursed: dict[UUID, ServerFault] = {}
        self.slow: dict[Call, float] = {}
        self.date: Callable[[], datetime] | None = None
        self.proxy_date: Callable[[], datetime] | None = None
        self.part = 500
        self.part_seconds = 0.0
        self.shown: list[int] = []
        self.calls: list[Call] = []
        self.times: list[float] = []
        self.marks: list[UUID] = []
        self.sent: set[UUID] = set()
        self._script: dict[Call, deque[Exception | None]] = {}

    def script(self, call: Call, *answers: Exception | None) -> None:
        """Have the next calls raise these in turn; None stands for the usual answer, which follows the last one."""
        self._script.setdefault(call, deque()).extend(answers)

    def delete(self, message: Message) -> None:
        """Forget a message, as a purge does."""
        self.messages.remove(message)

    def times_of(self, call: Call) -> list[float]:
        """Return when a call came, each time."""
        return [time for time, name in zip(self.times, self.calls, strict=True) if name == call]

    async def standing(self) -> Standing:
        """Return `account`."""
        await self._begin("standing")
        if not self.has_group:
            raise fault(ServerFaultKind.NOT_A_SENDER)
        date = self.proxy_date or self.date
        return replace(self.account, at=date()) if date else self.account

    async def list_ready(self, now: datetime, take: Take = dropped, known: Known = NOTHING) -> Listing:
        """Return what is unsent and past its `send_after`, oldest first, and all that is malformed; what is known not."""
        await self._begin("list_ready")
        servers = self.date() if self.date else now
        ready = [message for message in self.messages if message.send_after < servers and self._shows(message)]
        date = self.proxy_date or self.date
        at = date() if date else None
        ids = MessageIds()
        for message in ready:
            ids.add(message.id.bytes, _beside(message))
        newest = max((message.send_after for message in ready), default=None)
        ready = [message for message in ready if not _is_known(message, known)]
        self.shown.append(len(ready))
        while len(ready) > self.part:
            part, ready = ready[: self.part], ready[self.part :]
            await take(Listing(oldest_first(part), self.odd, at, newest=newest, ids=ids))
            await dawdle(self.part_seconds)
        return Listing(oldest_first(ready), self.odd, at, newest=newest, ids=ids)

    async def read(self, message: UUID) -> Found:
        """Return a message, sent or not."""
        await self._begin("read")
        found = self._known(message)
        return Found(found, MARKED if message in self.sent else None)

    async def mark_sent(self, message: UUID) -> None:
        """Keep the mark; what was never queued is gone."""
        self.marks.append(message)
        await self._begin("mark_sent")
        if (choke := self.cursed.get(message)) is not None:
            raise choke
        self.sent.add(self._known(message).id)

    async def close(self) -> None:
        """Do nothing; there is nothing to give back."""

    def _known(self, message: UUID) -> Message:
        for known in self.messages:
            if known.id == message and self.has_group:
                return known
        raise MessageGone

    def _shows(self, message: Message) -> bool:
        listed = self.has_group and message.id not in self.unlisted
        return listed and (self.forgetful or message.id not in self.sent)

    async def _begin(self, call: Call) -> None:
        self.calls.append(call)
        self.times.append(asyncio.get_running_loop().time())
        await dawdle(self.slow.get(call, 0.0))
        script = self._script.get(call)
        if script and (error := script.popleft()) is not None:
            raise error
        if self.down is not None:
            raise self.down


def _beside(message: Message) -> bytes:
    """Return what a source would write beside an id: when it is to be sent, and what tells its words from others."""
    micros = int(message.send_after.timestamp() * 1_000_000)
    secret = getattr(message.content, "intent_id", "")
    words = hashlib.blake2b(f"{message}{secret!s}".encode(), digest_size=8).digest()
    return micros.to_bytes(8, "big") + words


def _is_known(message: Message, known: Known) -> bool:
    beside, id_ = _beside(message), message.id.bytes
    return known.ids.beside(id_) == beside and beside[:8] + id_ > known.wanted


def oldest_first(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return messages as a part of a list has them."""
    return tuple(sorted(messages, key=lambda message: (message.send_after, message.id)))


async def dawdle(seconds: float) -> None:
    """Take so long; infinity never ends."""
    if math.isinf(seconds):
        await asyncio.Event().wait()
    if seconds:
        await asyncio.sleep(seconds)


def fault(kind: ServerFaultKind, retry_after: float | None = None) -> ServerFault:
    """Return a fault of that kind, as a source raises it."""
    return ServerFault(kind, f"something about {kind}", "mend it", retry_after)
