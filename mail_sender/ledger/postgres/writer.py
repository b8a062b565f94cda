"""The ledger's writer: what is claimed, dotted, settled and marked at the same time goes into one transaction.

1. Whoever has something to write hands it over and awaits its result. What is handed over within one turn of the
   event loop, or while a transaction is on its way, goes together: a few statements for all of it, one round trip,
   one commit.
2. A statement returns what it has changed. What it has not changed is `Fenced`, and disturbs nothing beside it.
3. Of one delivery, one thing is written at a time; the next waits for the next transaction.
4. A dot that was written and answered too late is a `LedgerFault`: it must not go out, and the ledger says that it
   may have.
5. Nobody gets a result before the commit. If the transaction fails, all that were in it get the `LedgerFault`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mail_sender import clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Delivery, Fenced, Imprint, Key
from mail_sender.ledger.postgres import claims, faults, moves
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.moves import Move
from mail_sender.ledger.postgres.statement import Rows, Statement

_MOST_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Begin:
    """A delivery is to be claimed."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Dot:
    """A delivery's dot is to be written; `until` is when it is too late, on `clock.elapsed`."""

    delivery: Delivery
    imprint: Imprint
    until: float


Write = Begin | Dot | Move


class Writer:
    """Writes into one database what one replica does; `command` gives the others news of what an operator does."""

    def __init__(self, database: Database, replica: UUID, command: Statement) -> None:
        self._database = database
        self._replica = replica
        self._command = command
        self._waiting: list[tuple[Write, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def do(self, write: Write) -> bool:
        """Have something written; say of a move whether its message has become unmarked by it.

        Raises `LedgerFault` and `Fenced`.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((write, done))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await done

    async def close(self) -> None:
        """Have what waits written."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _work(self) -> None:
        while batch := self._next_batch():
            answers = await self._answers([write for write, _ in batch])
            for (_, done), answer in zip(batch, answers, strict=True):
                if done.done():
                    continue
                if isinstance(answer, BaseException):
                    done.set_exception(answer)
                else:
                    done.set_result(answer)
        self._task = None

    def _next_batch(self) -> list[tuple[Write, asyncio.Future[Any]]]:
        """Take what waits, one thing for each delivery; what was cancelled before it began is not done."""
        batch: dict[Key, tuple[Write, asyncio.Future[Any]]] = {}
        rest: list[tuple[Write, asyncio.Future[Any]]] = []
        for item in self._waiting:
            if item[1].cancelled():
                continue
            key = item[0].delivery.key
            if key in batch or len(batch) == _MOST_TOGETHER:
                rest.append(item)
            else:
                batch[key] = item
        self._waiting = rest
        return list(batch.values())

    async def _answers(self, writes: Sequence[Write]) -> Sequence[bool | BaseException]:
        batch = Batch(writes, self._replica)
        try:
            found = await self._database.run([*batch.statements, *([self._command] if batch.has_commands else [])])
            done = batch.done(found[: len(batch.statements)])
            late = batch.late(clock.elapsed())
        except LedgerFault as fault:
            return [LedgerFault(fault.kind, fault.detail, fault.advice) for _ in writes]
        except Exception as error:  # noqa: BLE001 - whoever waits gets it; the writer goes on
            return [error] * len(writes)
        too_late = faults.late(self._database.target.place)
        return [Fenced() if n not in done else too_late if n in late else done[n] for n in range(len(writes))]


class Batch:
    """What is written together, in this order: moves, dots, claims. A mailbox that a move frees can be claimed."""

    def __init__(self, writes: Sequence[Write], replica: UUID) -> None:
        each = list(enumerate(writes))
        self._moves = [(n, write) for n, write in each if isinstance(write, Move)]
        self._dots = [(n, write) for n, write in each if isinstance(write, Dot)]
        self._begins = [(n, write) for n, write in each if isinstance(write, Begin)]
        self._replica = replica

    @property
    def has_commands(self) -> bool:
        """Whether an operator wants any of it."""
        return any(move.is_command for _, move in self._moves)

    @property
    def statements(self) -> list[Statement]:
        """The transaction."""
        found = list[Statement]()
        every = [move for _, move in self._moves]
        if every:
            found.append(moves.lock([move.delivery.message for move in every]))
        for are_commands in (False, True):
            if some := [(n, move) for n, move in self._moves if move.is_command is are_commands]:
                found.append(moves.move(some, self._replica, are_commands=are_commands))
        if every:
            found.append(moves.complete(every, self._replica))
        if self._dots:
            found.append(claims.dot([(n, dot.delivery, dot.imprint) for n, dot in self._dots], self._replica))
        if self._begins:
            found.append(claims.begin([(n, begin.delivery) for n, begin in self._begins], self._replica))
        return found

    def done(self, found: Sequence[Rows]) -> dict[int, bool]:
        """Return the numbers of what was written, and whether a message has become unmarked by it."""
        returned = list(found[1:] if self._moves else found)
        kinds = len({move.is_command for _, move in self._moves})
        complete = {id_ for (id_,) in returned.pop(kinds)} if self._moves else set[UUID]()
        written = {n for rows in returned for (n,) in rows}
        last = {move.delivery.message: n for n, move in self._moves if n in written and not move.is_command}
        marks = {n for message, n in last.items() if message in complete}
        return {n: n in marks for n in written}

    def late(self, now: float) -> set[int]:
        """Return the numbers of the dots that must not go out any more: another replica may soon take over."""
        return {n for n, dot in self._dots if now > dot.until}
