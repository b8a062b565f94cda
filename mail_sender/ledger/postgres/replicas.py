"""The replicas in the database: each has a row, which its beats keep alive, and one of them has the row `poller`.

1. A beat is one transaction: it says that the replica lives, and what it tells of itself, prolongs its leases and its
   turn as the poller, takes that where nobody has it and it stands for it, and reads who lives.
2. Whoever polls has a lease, on the database's clock; where it ran out, or was given back, the next beat of any other
   takes it. Here the lease counts from before the beat went out: this replica stops before another one begins.
3. A replica that leaves gives back what it has, and takes its row along. Whoever hears of it beats at once.
4. A list that comes in parts is said to do so before its first part is admitted: what it has is not due meanwhile
   (`due`), for as long as its replica lives.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from uuid import UUID

from mail_sender import __version__
from mail_sender.errors import LedgerFault
from mail_sender.ledger import rows
from mail_sender.ledger.postgres import claims, listening
from mail_sender.ledger.postgres.claims import GAP, LEASE, NOW
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.listening import Listening
from mail_sender.ledger.postgres.statement import Rows, Statement
from mail_sender.ledger.replicas import Hear, News, Replica, Said

_KEPT = "1 day"

_LIVES = f"""
    INSERT INTO replica AS r (id, name, pid, version, digest, carries, taking_up, since, seen_at)
    VALUES (
        %(replica)s, %(host)s, %(pid)s, %(version)s, %(digest)s, %(carries)s, %(taking_up)s, {NOW}, {NOW}
    )
    ON CONFLICT (id) DO UPDATE SET seen_at = {NOW}, digest = excluded.digest, carries = excluded.carries,
        taking_up = excluded.taking_up, since = CASE
            WHEN r.seen_at BETWEEN {NOW} - make_interval(secs => {GAP}) AND {NOW} THEN r.since ELSE {NOW} END
    """
_GONE = f"DELETE FROM replica WHERE seen_at < {NOW} - interval '{_KEPT}'"
_POLLS = f"""
    INSERT INTO poller AS p (replica, since, lease_until)
    VALUES (%(replica)s, {NOW}, {NOW} + make_interval(secs => {LEASE}))
    ON CONFLICT (one) DO UPDATE SET replica = excluded.replica, lease_until = excluded.lease_until,
        since = CASE WHEN p.replica = excluded.replica THEN p.since ELSE excluded.since END
    WHERE p.replica = excluded.replica AND p.lease_until > {NOW}
        OR p.lease_until <= {NOW} - make_interval(secs => %(patience)s)
        OR p.lease_until > {NOW} + make_interval(secs => {LEASE})
    """
_KNOWN = f"""
    SELECT id, name, pid, version, since, seen_at, digest, carries, EXISTS (
        SELECT FROM poller WHERE replica = r.id AND lease_until > {NOW}
    )
    FROM replica r WHERE {claims.is_seen()} ORDER BY since, id
    """
_TAKING_UP = "UPDATE replica SET taking_up = %(taking_up)s WHERE id = %(replica)s"
_GIVE_UP = f"UPDATE poller SET lease_until = {NOW} WHERE replica = %(replica)s AND lease_until > {NOW}"
_GIVE_BACK = "UPDATE poller SET lease_until = '-infinity' WHERE replica = %(replica)s"
_LEAVE = "DELETE FROM replica WHERE id = %(replica)s"


class PostgresReplicas:
    """The replicas of one database, as one of them sees them."""

    def __init__(self, database: Database, replica: UUID) -> None:
        self._database = database
        self._id = replica
        self._known: Sequence[Replica] = ()
        self._said = Said()
        self._patience: Callable[[], float | None] = _stands_not
        self._polls_until = float("-inf")
        self._beating: asyncio.Task[None] | None = None
        self._beat_now = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._hear: list[Hear] = []
        self._taking_up: datetime | None = None
        self._one_at_a_time = asyncio.Lock()  # a beat that is on its way would take back what is given up

    @property
    def id(self) -> UUID:
        """Who we are among them."""
        return self._id

    @property
    def known(self) -> Sequence[Replica]:
        """All that lived at the last beat."""
        return self._known

    @property
    def carrying(self) -> set[UUID]:
        """Those among whom what is due is shared: all that can mail now; all, where none can."""
        others = [one for one in self._known if one.id != self._id]
        ours = {self._id} if self._said.carries else set()
        return ours.union(one.id for one in others if one.said.carries) or {self._id, *(one.id for one in others)}

    @property
    def polls(self) -> bool:
        """Whether it is this replica that polls."""
        return asyncio.get_running_loop().time() < self._polls_until

    @property
    def said(self) -> Said:
        """What we tell of ourselves."""
        return self._said

    def describe(self, said: Said) -> None:
        """Tell this of ourselves from the next beat on."""
        self._said = said

    def stand(self, patience: Callable[[], float | None]) -> None:
        """Stand for being the one that polls."""
        self._patience = patience

    async def beat(self) -> None:
        """Say that we live, prolong our leases, and hear who else lives. Raises `LedgerFault`."""
        async with self._one_at_a_time:
            began, before = asyncio.get_running_loop().time(), self._known
            self._known = _replicas((await self._database.run(self._beat(self._patience())))[-1])
            is_ours = any(one.polls and one.id == self._id for one in self._known)
            self._polls_until = began + LEASE if is_ours else float("-inf")
        if [_shown(one) for one in before] != [_shown(one) for one in self._known]:
            self._let_hear(News.REPLICAS)

    def keep_beating(self) -> None:
        """Beat by ourselves from now on."""
        self._beating = asyncio.get_running_loop().create_task(self._keep_beating())

    async def give_up_polling(self) -> None:
        """Let another one poll, at once. Raises `LedgerFault`."""
        async with self._one_at_a_time:
            self._polls_until = float("-inf")
            await self._database.run([Statement(_GIVE_UP, {"replica": self._id}), self._news(News.REPLICAS)])

    async def taking_up(self, at: datetime | None) -> None:
        """Take in that a list comes in parts, or that all of it is there. Raises `LedgerFault`."""
        if at is self._taking_up is None:
            return
        self._taking_up = at  # the next beat says so, too, if this fails
        values = {"replica": self._id, "taking_up": self._taking_up_micros}
        await self._database.run([Statement(_TAKING_UP, values), *([self._news(News.QUEUE)] if at is None else [])])

    @property
    def _taking_up_micros(self) -> int | None:
        return None if self._taking_up is None else rows.micros(self._taking_up)

    async def announce(self, news: News) -> None:
        """Give news to all who hear. Raises `LedgerFault`."""
        await self._database.run([self._news(news)])

    def _news(self, news: News) -> Statement:
        return listening.notify(self._database.target, self._id, news)

    @contextmanager
    def hearing(self, hear: Hear) -> Iterator[None]:
        """Have `hear` called with news while the context lasts."""
        self._hear.append(hear)
        if self._listening is None:
            listener = Listening(self._database.target, self._id, self._do, self._heard)
            self._listening = asyncio.get_running_loop().create_task(listener.run())
        try:
            yield
        finally:
            self._hear.remove(hear)

    async def read(self) -> Sequence[Replica]:
        """Read which replicas live now. Raises `LedgerFault`."""
        return _replicas((await self._database.read([Statement(_KNOWN)]))[0])

    async def stop_beating(self) -> None:
        """Beat and listen no more."""
        ending = {task for task in (self._beating, self._listening) if task is not None}
        self._beating = self._listening = None
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    async def leave(self) -> None:
        """Give back what we have, and be no replica any more. Raises `LedgerFault`."""
        self._polls_until = float("-inf")
        ours = {"replica": self._id}
        leaves = [claims.release(self._id), Statement(_GIVE_BACK, ours), Statement(_LEAVE, ours)]
        await self._database.run([*leaves, self._news(News.REPLICAS)])

    def _beat(self, patience: float | None) -> list[Statement]:
        ours: dict[str, object] = {"replica": self._id, "patience": patience}
        names = {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
        said = {
            "digest": self._said.digest,
            "carries": self._said.carries,
            "taking_up": self._taking_up_micros,
        }
        polls = [] if patience is None else [Statement(_POLLS, ours)]
        lives = Statement(_LIVES, {**ours, **names, **said})
        return [lives, claims.prolong(self._id), Statement(_GONE), *polls, Statement(_KNOWN)]

    async def _keep_beating(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(claims.BEAT):
                    await self._beat_now.wait()
            self._beat_now.clear()
            with suppress(LedgerFault):  # whoever writes next is told
                await self.beat()

    async def _do(self, statement: Statement) -> None:
        await self._database.run([statement])

    def _heard(self, news: News) -> None:
        if news is News.REPLICAS:
            self._beat_now.set()
        self._let_hear(news)

    def _let_hear(self, news: News) -> None:
        for hear in tuple(self._hear):
            hear(news)


def _stands_not() -> None:
    """Stand for nothing: only what polls on a schedule does."""


def _replicas(found: Rows) -> Sequence[Replica]:
    return [
        Replica(id_, host, pid, version, since, seen_at, Said(digest, carries), polls)
        for id_, host, pid, version, since, seen_at, digest, carries, polls in found
    ]


def _shown(one: Replica) -> tuple[UUID, Said, bool]:
    """Return what of a replica is worth to be looked at when it changes."""
    return one.id, one.said, one.polls
