"""The ledger on PostgreSQL: every promise of `base`, for one replica of several.

`writer` puts what is written together, `claims`, `moves` and `admission` have its statements, `reading` and `tally`
those that read, `marks` those of what is to be marked. `replicas` says that this replica lives, and knows of the
others.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

from mail_sender import clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger import rows, states
from mail_sender.ledger.allowances import Allowances
from mail_sender.ledger.base import Attempt, Delivery, Entry, Imprint, Outcome, Query, Stuck
from mail_sender.ledger.postgres import admission, claims, due, listening, marks, migrations, moves, reading, tally
from mail_sender.ledger.postgres.allowances import PostgresAllowances
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.due import Reader
from mail_sender.ledger.postgres.moves import Move
from mail_sender.ledger.postgres.outages import PostgresOutages
from mail_sender.ledger.postgres.replicas import PostgresReplicas
from mail_sender.ledger.postgres.statement import Rows, Statement
from mail_sender.ledger.postgres.target import Target
from mail_sender.ledger.postgres.writer import Begin, Dot, Writer
from mail_sender.ledger.replicas import News
from mail_sender.ledger.sqlite import KEPT_AFTER
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import Summary
from mail_sender.message import Message

_BEGAN = [
    "INSERT INTO beginning (name, at) VALUES (%(name)s, %(at)s) ON CONFLICT (name) DO NOTHING",
    "SELECT at FROM beginning WHERE name = %(name)s",
]


_SETTLED = frozenset(move for move in states.MOVES if move[1] is not State.PROCESSING)
"""What the flow settles: a claim, with its lease, is given by `begin` alone."""


class PostgresLedger:
    """Deliveries in PostgreSQL. `open` makes one, which is one replica."""

    is_shared = True

    def __init__(self, database: Database, *, joins: bool) -> None:
        self._database = database
        self._has_joined = joins
        self.replicas = PostgresReplicas(database, uuid4())
        self.outages = PostgresOutages(database, self.replicas.id)
        self.allowances: Allowances = PostgresAllowances(database)
        self._news = listening.values(database.target, self.replicas.id, News.QUEUE)
        command = listening.notify(database.target, self.replicas.id, News.COMMAND)
        self._writer = Writer(database, self.replicas.id, command)

    @classmethod
    async def open(cls, target: Target, *, reads_only: bool = False, joins: bool = True) -> Self:
        """Connect to the ledger, making its tables if there are none.

        A ledger that `reads_only` changes nothing, and is no replica. One that does not join is none either: it can
        write what an operator wants, and makes no tables. Raises `LedgerFault`.
        """
        joins = joins and not reads_only
        database = Database(target, reads_only=reads_only)
        ledger = cls(database, joins=joins)
        try:
            await migrations.prepare(database, reads_only=reads_only, makes=joins)
            if joins:
                await ledger.replicas.beat()
        except BaseException:
            await database.close()
            raise
        if joins:
            ledger.replicas.keep_beating()
        return ledger

    async def admit(self, messages: Sequence[Message], now: datetime, max_age: timedelta) -> Sequence[UUID]:
        """Take up what is new of these messages; return those newly found un-sent."""
        unsent: list[UUID] = []
        for part in admission.parts(messages):
            done = await self._database.run(admission.admit(part, now, max_age, self._news))
            unsent += [id_ for (id_,) in done[-1]]
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
        statement = due.due(self._reader, now, limit, without, deadline_by, stuck)
        return reading.deliveries(await self._read(statement))

    async def fresh(self, now: datetime, since: datetime, limit: int) -> Sequence[Delivery]:
        """Return what was admitted since then, and what goes before it."""
        return reading.deliveries(await self._read(due.fresh(self._reader, now, since, limit)))

    async def next_due(self, now: datetime) -> datetime | None:
        """Return when the next queued delivery will be due."""
        ((found,),) = await self._read(reading.next_due(now))
        return None if found is None else rows.time(found)

    async def deliveries(self, message: UUID) -> Sequence[Delivery]:
        """Return a message's deliveries."""
        return reading.deliveries(await self._read(reading.of_message(message)))

    async def begin(self, delivery: Delivery) -> Delivery:
        """Claim a queued delivery for an attempt; refused as well while its mailbox has one in flight."""
        states.check(delivery.state, State.PROCESSING)
        await self._writer.do(Begin(delivery))
        return replace(delivery, state=State.PROCESSING, claim=delivery.claim + 1)

    async def dot(self, delivery: Delivery, imprint: Imprint) -> float:
        """Write that the dot may be out from here on, until the time that is returned.

        Raises `LedgerFault` also where the answer comes so late that another replica may take over soon.
        """
        until = clock.elapsed() + claims.MARGIN  # from before the ledger looked at the lease, so never too long
        await self._writer.do(Dot(delivery, imprint, until))
        return until

    async def settle(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> bool:
        """Write what became of a delivery; say whether its message has become unmarked by it."""
        states.check(delivery.state, outcome.state, _SETTLED)
        return await self._writer.do(Move(delivery, outcome, now, attempt))

    async def apply_command(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> None:
        """Write what the operator wants of a delivery, with the line of history that says so."""
        states.check(delivery.state, outcome.state, states.COMMANDS)
        await self._writer.do(Move(delivery, outcome, now, attempt, is_command=True))

    async def interrupted(self) -> Sequence[Delivery]:
        """Return what is processing with a lease that ran out, and all that this replica has claimed."""
        return reading.deliveries(await self._read(reading.interrupted(self.replicas.id)))

    async def unmarked(self, now: datetime, limit: int | None = None) -> Sequence[UUID]:
        """Return the messages to mark as sent."""
        return [id_ for (id_,) in await self._read(marks.unmarked(now, limit))]

    async def to_mark(self, now: datetime, limit: int) -> Sequence[UUID]:
        """Return the messages that this replica is to mark."""
        return [id_ for (id_,) in await self._read(marks.to_mark(self._reader, now, limit))]

    async def marked(self, messages: Sequence[UUID], now: datetime) -> None:
        """The server knows; that is not written before the outcome that it follows from."""
        await self._database.run([moves.lock(messages), marks.marked(messages, now)])

    async def forget(self, now: datetime, keep: Container[UUID] = frozenset()) -> None:
        """Drop what the server should have deleted more than a day ago."""
        old = await self._read(admission.old(now - KEPT_AFTER))
        if old:
            await self._write(admission.forget(old, keep))

    async def find(self, query: Query, limit: int, before: int | None = None) -> Sequence[Entry]:
        """Return deliveries with their histories, newest first."""
        found = await self._read(reading.find(query, limit, before))
        return reading.entries(found, await self._read(reading.histories(found)) if found else ())

    async def accepted(self, since: datetime) -> Sequence[tuple[str, datetime]]:
        """Return to whom mails went by attempts since then, and when these ended."""
        return rows.ends(await self._read(reading.accepted(since)))

    async def began(self, name: str, now: datetime) -> datetime:
        """Return when something of that name began, which the first to ask decides."""
        values = {"name": name, "at": rows.micros(now)}
        _, ((at,),) = await self._database.run([Statement(text, values) for text in _BEGAN])
        return rows.time(at)

    async def count(self, query: Query) -> Mapping[State, int]:
        """Return how many deliveries are in each state."""
        return {State(state): number for state, number in await self._read(reading.count(query))}

    async def summary(self, now: datetime) -> Summary:
        """Return counts and times of all deliveries together."""
        return tally.summary(await self._database.read(tally.statements(now), snapshot=True), now)

    async def close(self) -> None:
        """Write what waits, give back what is not settled, and close."""
        await self.replicas.stop_beating()
        await self._writer.close()
        if self._has_joined:
            self._has_joined = False
            with suppress(LedgerFault):
                await self.replicas.leave()
        await self._database.close()

    async def beat(self) -> None:
        """Say that this replica lives, and prolong its leases. Raises `LedgerFault`."""
        await self.replicas.beat()

    @property
    def _reader(self) -> Reader:
        return Reader.among(self.replicas.id, self.replicas.carrying)

    async def _read(self, statement: Statement) -> Rows:
        (found,) = await self._database.read([statement])
        return found

    async def _write(self, statement: Statement) -> Rows:
        (found,) = await self._database.run([statement])
        return found
