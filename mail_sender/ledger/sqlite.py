"""The ledger on SQLite: every promise of `base`, in a file of its own or in memory.

Each method hands one job to the `Writer`, which commits it before the caller gets its result; only `begin` does not
wait for that. `company` says what waits a moment for others. `migrations` makes the tables, `admission` takes up
messages, `moves` writes what a delivery becomes, `due` reads for the dispatcher, `search` and `tally` for the
operator.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self
from uuid import UUID

from mail_sender.ledger import admission, company, due, migrations, moves, rows, search, states
from mail_sender.ledger.base import Attempt, Delivery, Entry, Imprint, Outcome, Query, Stuck
from mail_sender.ledger.connection import AsOwner
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import Summary
from mail_sender.ledger.tally import Tally
from mail_sender.ledger.writer import Writer
from mail_sender.message import Message

ADMITTED_TOGETHER = 250
"""Messages in one transaction: a dot that is to be written waits for no more than these."""
KEPT_AFTER = timedelta(days=1)
"""How long a row outlives its message."""


class SqliteLedger:
    """Deliveries in SQLite. `open` makes one."""

    is_shared = False
    replicas = None
    outages = None
    allowances = None

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._tally = Tally()
        self._claims = 0
        self._company = company.Company()

    @classmethod
    async def open(cls, path: Path | None, as_owner: AsOwner = nullcontext, *, reads_only: bool = False) -> Self:
        """Open the ledger at a path, making it if there is none; None keeps it in memory.

        The file is opened within `as_owner`. A ledger that `reads_only` changes nothing in its file.
        Raises `LedgerFault`, also for a file that is damaged, newer than this program or not a ledger.
        """
        writer = Writer(path, as_owner, reads_only=reads_only)
        await writer.start(lambda connection: migrations.prepare(connection, path))
        return cls(writer)

    async def admit(self, messages: Sequence[Message], now: datetime, max_age: timedelta) -> Sequence[UUID]:
        """Take up what is new of these messages; return those newly found un-sent."""
        unsent: list[UUID] = []
        for piece in rows.chunks(messages, ADMITTED_TOGETHER):
            unsent += await self._writer.do(
                partial(admission.admit, messages=piece, now=now, max_age=max_age), begins=True
            )
        return unsent

    async def due(
        self,
        now: datetime,
        limit: int,
        without: Collection[str] = (),
        deadline_by: datetime | None = None,
        stuck: Stuck | None = None,
    ) -> Sequence[Delivery]:
        """Return what is past its deadline, and what is due."""
        others = tuple(without)  # the caller's may change under the thread
        which = due.which(deadline_by, stuck)
        return await self._writer.do(lambda db: due.due(db, now, limit, others, which))

    async def fresh(self, now: datetime, since: datetime, limit: int) -> Sequence[Delivery]:
        """Return what was admitted since then, and what goes before it."""
        return await self._writer.do(lambda db: due.fresh(db, now, since, limit))

    async def next_due(self, now: datetime) -> datetime | None:
        """Return when the next queued delivery will be due."""
        of = "FROM delivery INDEXED BY delivery_due"
        select = f"SELECT min(next_attempt) {of} WHERE state = 'queued' AND next_attempt > ?"
        found = await self._writer.do(lambda db: db.execute(select, (rows.micros(now),)).fetchone()[0])
        return None if found is None else rows.time(found)

    async def deliveries(self, message: UUID) -> Sequence[Delivery]:
        """Return a message's deliveries."""
        which = "WHERE m.id = ? ORDER BY d.number"
        return await self._writer.do(lambda db: rows.deliveries(db, which, (str(message),)))

    async def begin(self, delivery: Delivery) -> Delivery:
        """Claim a queued delivery for an attempt.

        The claim is written together with the next change: no other process writes, and what has a claim and no dot
        was not sent. Only a ledger that failed has to write it before it is returned.
        """
        states.check(delivery.state, State.PROCESSING)
        claim = self._claims = max(delivery.claim, self._claims) + 1  # no other claim of this process has this number

        def job(db: sqlite3.Connection) -> None:
            moves.begin(db, delivery, claim)

        if self._writer.in_doubt:
            await self._writer.do(job, begins=True)
        else:
            self._writer.later(job)
        self._company.begun(claim)
        return replace(delivery, state=State.PROCESSING, claim=claim)

    async def dot(self, delivery: Delivery, imprint: Imprint) -> None:
        """Write that the dot may be out from here on, at any time."""
        within = self._company.dot(delivery.claim, _now())
        await self._writer.do(lambda db: moves.dot(db, delivery, imprint), begins=True, within=within)

    async def settle(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> bool:
        """Write what became of a delivery; say whether its message has become unmarked by it."""
        within = 0.0
        if delivery.state is State.PROCESSING:
            within = self._company.outcome(delivery.claim, _now())
        return await self._writer.do(lambda db: moves.move(db, delivery, outcome, now, attempt), within=within)

    async def apply_command(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> None:
        """Write what the operator wants of a delivery, with the line of history that says so."""
        await self._writer.do(lambda db: moves.command(db, delivery, outcome, now, attempt))

    async def interrupted(self) -> Sequence[Delivery]:
        """Return what is processing: with one process, nobody works on it when it starts."""
        return await self._writer.do(lambda db: rows.deliveries(db, "WHERE d.state = 'processing' ORDER BY d.number"))

    async def unmarked(self, now: datetime, limit: int | None = None) -> Sequence[UUID]:
        """Return the messages to mark as sent."""
        select = (
            "SELECT id FROM message INDEXED BY message_unmarked "
            "WHERE complete_at IS NOT NULL AND marked_at IS NULL AND delete_after > ? "
            "ORDER BY complete_at, number LIMIT ?"
        )
        values = rows.micros(now), -1 if limit is None else limit
        return await self._writer.do(lambda db: [rows.uuid(id_) for (id_,) in db.execute(select, values)])

    async def to_mark(self, now: datetime, limit: int) -> Sequence[UUID]:
        """Return the messages that are unmarked: no other process marks any."""
        return await self.unmarked(now, limit)

    async def marked(self, messages: Sequence[UUID], now: datetime) -> None:
        """The server knows; that is not written before the outcome that it follows from."""
        await self._writer.do(partial(moves.mark, messages=tuple(messages), now=now), within=company.OUTCOME_WAITS)

    async def forget(self, now: datetime, keep: Container[UUID] = frozenset()) -> None:
        """Drop what the server should have deleted more than a day ago."""
        select = "SELECT number, id FROM message WHERE delete_after < ?"

        def job(db: sqlite3.Connection) -> None:
            old = db.execute(select, (rows.micros(now - KEPT_AFTER),)).fetchall()
            numbers = [(number,) for number, id_ in old if rows.uuid(id_) not in keep]
            db.executemany("DELETE FROM message WHERE number = ?", numbers)

        await self._writer.do(job)

    async def find(self, query: Query, limit: int, before: int | None = None) -> Sequence[Entry]:
        """Return deliveries with their histories, newest first."""
        return await self._writer.do(lambda db: search.find(db, query, limit, before))

    async def accepted(self, since: datetime) -> Sequence[tuple[str, datetime]]:
        """Return to whom mails went by attempts since then, and when these ended."""
        return await self._writer.do(lambda db: search.accepted(db, since))

    async def began(self, name: str, now: datetime) -> datetime:
        """Return when something of that name began, which the first to ask decides."""

        def job(db: sqlite3.Connection) -> datetime:
            insert = "INSERT INTO beginning (name, at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            db.execute(insert, (name, rows.micros(now)))
            return rows.time(db.execute("SELECT at FROM beginning WHERE name = ?", (name,)).fetchone()[0])

        return await self._writer.do(job, begins=True)

    async def count(self, query: Query) -> Mapping[State, int]:
        """Return how many deliveries are in each state."""
        condition, values = search.where(query)
        of = "FROM delivery d JOIN message m ON m.number = d.message"
        select = f"SELECT d.state, count(*) {of} {condition} GROUP BY d.state"
        return await self._writer.do(lambda db: {State(name): number for name, number in db.execute(select, values)})

    async def summary(self, now: datetime) -> Summary:
        """Return counts and times of all deliveries together."""
        return await self._writer.read(lambda db: self._tally.summary(db, now))

    async def close(self) -> None:
        """Write what waits and close."""
        await self._writer.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
