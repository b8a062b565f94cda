"""Several workers on benches side by side, which share one ledger and one queue: what replicas do, in made-up time.

The ledger is SQLite's, seen by each replica as one that is shared: with its own share of the addresses, news of what
the others take up, and the role of the poller under a lease. What the real one promises of these, the contract says
(tests/contract/test_replicas_contract.py); here it is small enough to be read.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from mail_sender.ledger.base import Delivery, Stuck
from mail_sender.ledger.replicas import Hear, News, Replica, Said
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.message import Message
from mail_sender.names.address import mailbox
from mail_sender.sender.heartbeat import Heartbeats
from tests.support.samples import NOW, SECOND
from tests.support.worker_bench import Bench, Faults, ledger_in_memory

LEASE, BEAT = 15.0, 3.0
STALE = 30 * SECOND


class Company:
    """What the replicas of one ledger share: the ledger, the queue, who lives, and who polls until when."""

    def __init__(self) -> None:
        self.ledger: SqliteLedger
        self.seen: dict[UUID, tuple[float, Replica]] = {}
        self.members: list[MemoryReplicas] = []
        self.poller: tuple[UUID | None, float] = (None, float("-inf"))
        self.taking_up: dict[UUID, datetime] = {}

    async def open(self) -> None:
        """Open the ledger."""
        self.ledger = await ledger_in_memory()


class MemoryReplicas:
    """The replicas as one of them sees them."""

    def __init__(self, company: Company, number: int) -> None:
        self.id = UUID(int=number)
        self.known: Sequence[Replica] = ()
        self.said = Said()
        self.version = "1"
        self._company = company
        self._patience: Callable[[], float | None] = lambda: None
        self._until = float("-inf")
        self._hear: list[Hear] = []
        company.members.append(self)
        self._beating = asyncio.ensure_future(self._beat())

    @property
    def polls(self) -> bool:
        return _now() < self._until

    def describe(self, said: Said) -> None:
        self.said = said

    def stand(self, patience: Callable[[], float | None]) -> None:
        self._patience = patience

    async def beat(self) -> None:
        now, patience, company = _now(), self._patience(), self._company
        who, until = company.poller
        if patience is not None and ((who == self.id and until > now) or until <= now - patience):
            company.poller = (self.id, now + LEASE)
        self._until = company.poller[1] if company.poller[0] == self.id else float("-inf")
        living = [(at, one) for at, one in company.seen.values() if at > now - LEASE and one.id != self.id]
        polls = self.polls
        ours = Replica(self.id, f"host-{self.id.int}", self.id.int, self.version, NOW, NOW, self.said, polls)
        company.seen[self.id] = (now, ours)
        before, self.known = self.known, sorted([ours, *(one for _, one in living)], key=lambda one: one.id)
        if before != self.known:
            self.let_hear(News.REPLICAS)

    async def give_up_polling(self) -> None:
        self._until = float("-inf")
        if self._company.poller[0] == self.id and self._company.poller[1] > _now():
            self._company.poller = (self.id, _now())
            await self.announce(News.REPLICAS)

    async def taking_up(self, at: datetime | None) -> None:
        self._company.taking_up.pop(self.id, None)
        if at is not None:
            self._company.taking_up[self.id] = at

    async def announce(self, news: News) -> None:
        for other in self._company.members:
            if other is not self:
                asyncio.get_running_loop().call_soon(other.heard, news)

    def heard(self, news: News) -> None:
        """Take news of another replica."""
        if news is News.REPLICAS:
            self._beating.cancel()
            self._beating = asyncio.ensure_future(self._beat(at_once=True))
        self.let_hear(news)

    def let_hear(self, news: News) -> None:
        """Have all hear news who want to."""
        for hear in tuple(self._hear):
            hear(news)

    @contextmanager
    def hearing(self, hear: Hear) -> Iterator[None]:
        self._hear.append(hear)
        try:
            yield
        finally:
            self._hear.remove(hear)

    async def read(self) -> Sequence[Replica]:
        return self.known

    def vanish(self) -> None:
        """Beat no more, as a process that was killed, or is stopped."""
        self._beating.cancel()
        if self in self._company.members:
            self._company.members.remove(self)

    async def leave(self) -> None:
        """Give back what there is."""
        self.vanish()
        self._company.seen.pop(self.id, None)
        self._company.taking_up.pop(self.id, None)
        if self._company.poller[0] == self.id:
            self._company.poller = (None, float("-inf"))
        await self.announce(News.REPLICAS)

    async def _beat(self, *, at_once: bool = False) -> None:
        if not at_once:
            await asyncio.sleep(BEAT)
        while True:
            await self.beat()
            await asyncio.sleep(BEAT)


class SharedLedger:
    """The ledger as one replica sees it."""

    is_shared = True

    def __init__(self, company: Company, number: int) -> None:
        self.replicas = MemoryReplicas(company, number)
        self._company = company

    async def admit(self, messages: Sequence[Message], now: datetime, max_age: timedelta) -> Sequence[UUID]:
        new = [of for of in messages if not await self._company.ledger.deliveries(of.id)]
        found = await self._company.ledger.admit(messages, now, max_age)
        if new:
            await self.replicas.announce(News.QUEUE)
        return found

    async def due(
        self,
        now: datetime,
        limit: int,
        without: Collection[str] = (),
        deadline_by: datetime | None = None,
        stuck: Stuck | None = None,
    ) -> Sequence[Delivery]:
        found = await self._company.ledger.due(now, 10_000, without, deadline_by, stuck)
        return [one for one in found if self._is_ours(one, now)][:limit]

    async def fresh(self, now: datetime, since: datetime, limit: int) -> Sequence[Delivery]:
        found = await self._company.ledger.fresh(now, since, 10_000)
        return [one for one in found if self._is_ours(one, NOW)][:limit]

    async def interrupted(self) -> Sequence[Delivery]:
        return []

    async def close(self) -> None:
        await self.replicas.leave()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._company.ledger, name)

    def _is_ours(self, one: Delivery, now: datetime) -> bool:
        if one.next_attempt >= min(self._company.taking_up.values(), default=one.next_attempt + SECOND):
            return False
        return one.next_attempt <= now - STALE or owner(one.recipient, self.replicas) == self.replicas.id


def owner(recipient: str, replicas: MemoryReplicas) -> UUID:
    """Return in whose share an address is, as a replica sees it."""
    living = [one for one in replicas.known if one.id != replicas.id]
    carrying = [one.id for one in living if one.said.carries] + [replicas.id] * replicas.said.carries
    each = sorted(carrying or [replicas.id])
    return each[zlib.crc32(mailbox(recipient).encode()) % len(each)]


class ReplicaBench(Bench):
    """One of the workers."""

    def __init__(self, company: Company, number: int, messages: Iterable[Message], **rest: Any) -> None:
        super().__init__(messages, **rest)
        self._company = company
        self._number = number

    async def open(self) -> None:
        """Take the ledger that all share."""
        self.shared = SharedLedger(self._company, self._number)
        self.ledger = self.shared  # type: ignore[assignment]  # what a bench asks of its ledger, this one has
        self.faults = Faults()

    @property
    def replicas(self) -> MemoryReplicas:
        """The replicas as this one sees them."""
        return self.shared.replicas

    @property
    def lists(self) -> list[float]:
        """When it listed the queue."""
        return self.source.times_of("list_ready")

    async def die(self) -> None:
        """End as kill -9 does."""
        self.replicas.vanish()
        await self.kill()
        self.heartbeats = Heartbeats()


@asynccontextmanager
async def replicas(count: int, *messages: Message, **rest: Any) -> AsyncIterator[list[ReplicaBench]]:
    """Give so many benches with one queue; each starts when it is run, and the log of all is the last one's."""
    company = Company()
    await company.open()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(company.ledger.close)
        tables = [
            await opened.enter_async_context(ReplicaBench(company, number, messages, **rest))
            for number in range(1, count + 1)
        ]
        for table in tables:
            table.source.messages, table.source.sent = tables[0].source.messages, tables[0].source.sent
        yield tables
        with suppress(asyncio.CancelledError):
            for table in tables:
                table.replicas.vanish()


async def run(seconds: float, *tables: ReplicaBench) -> None:
    """Let the workers of these benches work for so long."""
    for table in tables:
        table.start()
    await asyncio.sleep(seconds)
    for table in tables:
        await table.run(0)


def _now() -> float:
    return asyncio.get_running_loop().time()
