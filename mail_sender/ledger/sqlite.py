"""The ledger on SQLite: every promise of `base`, in a file of its own or in memory.

Each method hands one job to the scribe, which commits it before anybody hears of it. A change names the claim under
which its delivery was read; where the row has another one by now, nothing is changed (`Fenced`).

Numbered files in `schema` make the tables; the file's `user_version` says how many of them it has seen. A file from
a newer version, or of another program, is refused and left as it is.
"""

import sqlite3
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Self
from uuid import UUID

from mail_sender.errors import LedgerFault
from mail_sender.ledger import rows, search, states
from mail_sender.ledger.base import Attempt, Delivery, Entry, Fenced, Imprint, Outcome, Query
from mail_sender.ledger.states import FINAL, State
from mail_sender.ledger.writer import Writer
from mail_sender.message import Message

KEPT_AFTER = timedelta(days=1)
"""How long a row outlives its message."""
LAGGING = timedelta(minutes=15)
"""How long after its mark a message may still be listed, by a replica that has not heard of it."""
LONGEST_WAIT = timedelta(minutes=35)
"""A delivery that would wait longer was written by a clock that ran ahead."""
MOST_ATTEMPTS_KEPT = 50
"""Lines of history for each delivery; the first of more are dropped."""

_APPLICATION = 0x6D61696C  # "mail", in the file's header


class SqliteLedger:
    """Deliveries in SQLite. `open` makes one."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @classmethod
    async def open(cls, path: Path | None) -> Self:
        """Open the ledger at a path, making it where there is none; None keeps it in memory.

        Raises `LedgerTrouble`, where the file is damaged, newer than this program or none of its own as well.
        """
        writer = Writer(path)
        await writer.start(lambda connection: _prepare(connection, path))
        return cls(writer)

    @property
    def pending(self) -> int:
        """How many calls wait for the disk."""
        return self._writer.pending

    async def admit(self, messages: Sequence[Message], now: datetime, max_age: timedelta) -> Sequence[UUID]:
        """Take up what is new of these messages; return those newly found un-sent."""
        return await self._writer.do(lambda db: _admit(db, messages, now, max_age))

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> Sequence[Delivery]:
        """Return what is past its deadline, and what is due."""
        others = tuple(without)  # the caller's may change under the thread
        return await self._writer.do(lambda db: _due(db, now, limit, others))

    async def next_due(self, now: datetime) -> datetime | None:
        """Return when the next queued delivery will be due."""
        select = "SELECT min(next_attempt) FROM delivery WHERE state = 'queued' AND next_attempt > ?"
        found = await self._writer.do(lambda db: db.execute(select, (rows.micros(now),)).fetchone()[0])
        return None if found is None else rows.moment(found)

    async def deliveries(self, message: UUID) -> Sequence[Delivery]:
        """Return a message's deliveries."""
        return await self._writer.do(
            lambda db: rows.deliveries(db, "WHERE m.id = ? ORDER BY d.number", (str(message),))
        )

    async def begin(self, delivery: Delivery) -> Delivery:
        """Claim a queued delivery for an attempt."""

        def job(db: sqlite3.Connection) -> Delivery:
            number, _ = _checked(db, delivery, State.PROCESSING)
            db.execute("UPDATE delivery SET state = 'processing', claim = claim + 1 WHERE number = ?", (number,))
            return replace(delivery, state=State.PROCESSING, claim=delivery.claim + 1)

        return await self._writer.do(job)

    async def dot(self, delivery: Delivery, imprint: Imprint) -> None:
        """Write that the dot may be out from here on."""
        update = (
            "UPDATE delivery SET dot = 1, message_id = ?, date = ?, digest = ? WHERE state = 'processing' "
            "AND claim = ? AND recipient = ? AND message = (SELECT number FROM message WHERE id = ?)"
        )
        values = (imprint.message_id, rows.micros(imprint.date), imprint.digest, delivery.claim, *rows.key(delivery))

        def job(db: sqlite3.Connection) -> None:
            if db.execute(update, values).rowcount != 1:
                raise Fenced

        await self._writer.do(job)

    async def settle(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> bool:
        """Write what became of a delivery; say whether its message has become unmarked by it."""

        def job(db: sqlite3.Connection) -> bool:
            number, message = _checked(db, delivery, outcome.state)
            _write(db, number, outcome, now)
            if attempt is not None:
                _add_attempt(db, number, attempt)
            return _complete(db, message, now)

        return await self._writer.do(job)

    async def apply_command(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> None:
        """Write what the operator wants of a delivery, with the line of history that says so."""

        def job(db: sqlite3.Connection) -> None:
            number, message = _checked(db, delivery, outcome.state, states.COMMANDS)
            db.execute("UPDATE delivery SET claim = claim + 1 WHERE number = ?", (number,))
            _write(db, number, outcome, now)
            if attempt is not None:
                _add_attempt(db, number, attempt)
            if outcome.copy > delivery.copy:
                # Somebody un-sent it: the server is to be told of the copy.
                clear = (
                    "UPDATE message SET marked_at = NULL, unsent_at = NULL WHERE number = ? AND unsent_at IS NOT NULL"
                )
                db.execute(clear, (message,))
            _complete(db, message, now)

        await self._writer.do(job)

    async def interrupted(self) -> Sequence[Delivery]:
        """Return what is processing: with one process, nobody works on it when it starts."""
        return await self._writer.do(lambda db: rows.deliveries(db, "WHERE d.state = 'processing' ORDER BY d.number"))

    async def unmarked(self, now: datetime) -> Sequence[UUID]:
        """Return the messages that the server must still be told of."""
        select = (
            "SELECT id FROM message WHERE complete_at IS NOT NULL AND marked_at IS NULL AND delete_after > ? "
            "ORDER BY complete_at, number"
        )
        return await self._writer.do(
            lambda db: [rows.uuid(id_) for (id_,) in db.execute(select, (rows.micros(now),))]
        )

    async def marked(self, message: UUID, now: datetime) -> None:
        """The server knows."""
        update = "UPDATE message SET marked_at = ?, unsent_at = NULL WHERE id = ?"
        await self._writer.do(lambda db: db.execute(update, (rows.micros(now), str(message))))

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

    async def count(self, query: Query) -> Mapping[State, int]:
        """Return how many deliveries are in each state."""
        condition, values = search.where(query)
        of = "FROM delivery d JOIN message m ON m.number = d.message"
        select = f"SELECT d.state, count(*) {of} {condition} GROUP BY d.state"
        return await self._writer.do(lambda db: {State(name): number for name, number in db.execute(select, values)})

    async def close(self) -> None:
        """Write what is under way and close."""
        await self._writer.close()


# The file


def _prepare(db: sqlite3.Connection, path: Path | None) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    application = db.execute("PRAGMA application_id").fetchone()[0]
    empty = not version and not db.execute("SELECT 1 FROM sqlite_master").fetchone()
    if not empty and application != _APPLICATION:
        raise LedgerFault("foreign", f"{path} belongs to another program", "set [ledger] path to a folder of our own")
    scripts = _schema()
    if version > len(scripts):
        raise LedgerFault(
            "newer",
            f"{path} was written by a newer mail-sender (schema {version})",
            "run that version, or a newer one",
        )
    if (damage := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(damage)
    for number, script in enumerate(scripts[version:], version + 1):
        db.executescript(
            f"BEGIN; {script} PRAGMA user_version = {number}; PRAGMA application_id = {_APPLICATION}; COMMIT;"
        )


def _schema() -> list[str]:
    folder = files("mail_sender.ledger") / "schema"
    return [script.read_text() for script in sorted(folder.iterdir(), key=lambda file: file.name)]


# The flow

_WITHDRAWN_AT = (
    "SELECT CASE WHEN count(*) = sum(state = 'withdrawn') THEN max(changed_at) END "
    "FROM delivery WHERE message = m.number"
)
_KNOWN = (  # the last column: since when it should not be listed any more, unless that it is has been said
    "SELECT m.id, m.number, CASE WHEN m.unsent_at IS NOT NULL THEN NULL "
    f"WHEN m.marked_at IS NOT NULL THEN m.marked_at ELSE ({_WITHDRAWN_AT}) END FROM message m"
)


def _admit(db: sqlite3.Connection, messages: Sequence[Message], now: datetime, max_age: timedelta) -> list[UUID]:
    by_id = {str(message.id): message for message in messages}
    known: dict[str, tuple[int, int | None]] = {}
    for ids in rows.chunks(list(by_id)):
        found = db.execute(f"{_KNOWN} WHERE m.id IN ({','.join('?' * len(ids))})", ids)
        known |= {id_: tuple(rest) for id_, *rest in found}
    for id_, message in by_id.items():
        if id_ not in known:
            _insert(db, message, now, max_age)
    lagging = rows.micros(now - LAGGING)
    unsent = [(id_, number) for id_, (number, left_at) in known.items() if left_at and left_at < lagging]
    db.executemany(
        "UPDATE message SET unsent_at = ? WHERE number = ?", [(rows.micros(now), row) for _, row in unsent]
    )
    return [by_id[id_].id for id_, _ in unsent]


def _insert(db: sqlite3.Connection, message: Message, now: datetime, max_age: timedelta) -> None:
    number = db.execute(
        "INSERT INTO message (id, kind, admitted_at, delete_after) VALUES (?, ?, ?, ?)",
        (str(message.id), message.content.kind, rows.micros(now), rows.micros(message.delete_after)),
    ).lastrowid
    deadline = min(message.deadline, now + max_age)
    send_after = rows.micros(message.send_after)
    db.executemany(
        "INSERT INTO delivery (message, recipient, state, send_after, deadline, next_attempt, changed_at) "
        "VALUES (?, ?, 'queued', ?, ?, ?, ?)",
        [
            (number, recipient, send_after, rows.micros(deadline), rows.micros(now), rows.micros(now))
            for recipient in message.recipients
        ],
    )


def _due(db: sqlite3.Connection, now: datetime, limit: int, without: Collection[str]) -> list[Delivery]:
    moment, ahead = rows.micros(now), rows.micros(now + LONGEST_WAIT)
    late = "WHERE d.state IN ('queued', 'held') AND d.deadline <= ? ORDER BY d.deadline LIMIT ?"
    others = f"AND d.recipient COLLATE NOCASE NOT IN ({','.join('?' * len(without))})" if without else ""
    found = rows.deliveries(db, late, (moment, limit))
    for when, bound in (("<=", moment), (">", ahead)):
        due = f"WHERE d.state = 'queued' AND d.next_attempt {when} ? AND d.deadline > ? {others}"
        order = "ORDER BY d.next_attempt, d.send_after, d.number LIMIT ?"
        found += rows.deliveries(db, f"{due} {order}", (bound, moment, *without, limit - len(found)))
    return found


def _checked(
    db: sqlite3.Connection, delivery: Delivery, new: State, moves: frozenset[tuple[State, State]] = states.MOVES
) -> tuple[int, int]:
    """Return the numbers of a delivery's row and of its message's, if it may become what it is to become."""
    row = db.execute(
        "SELECT d.number, d.message, d.state, d.claim FROM delivery d JOIN message m ON m.number = d.message "
        "WHERE d.recipient = ? AND m.id = ?",
        rows.key(delivery),
    ).fetchone()
    if row is None:
        raise Fenced
    number, message, state, claim = row
    if claim != delivery.claim:
        raise Fenced
    states.check(State(state), new, moves)
    return number, message


def _write(db: sqlite3.Connection, number: int, outcome: Outcome, now: datetime) -> None:
    db.execute(
        "UPDATE delivery SET state = ?, dot = 0, next_attempt = ?, attempts = ?, ambiguous = ?, copy = ?, "
        "changed_at = ? WHERE number = ?",
        (
            outcome.state.value,
            rows.micros(outcome.next_attempt),
            outcome.attempts,
            outcome.ambiguous,
            outcome.copy,
            rows.micros(now),
            number,
        ),
    )


def _add_attempt(db: sqlite3.Connection, number: int, attempt: Attempt) -> None:
    db.execute(
        "INSERT INTO attempt (delivery, at, stage, verdict, code, reply, seconds) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            rows.micros(attempt.at),
            attempt.stage,
            attempt.verdict,
            attempt.code,
            attempt.reply,
            attempt.seconds,
        ),
    )
    if attempt.queue_id is not None:
        db.execute("UPDATE delivery SET queue_id = ? WHERE number = ?", (attempt.queue_id, number))
    db.execute(
        "DELETE FROM attempt WHERE delivery = ?1 AND number <= "
        "(SELECT number FROM attempt WHERE delivery = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        (number, MOST_ATTEMPTS_KEPT),
    )


def _complete(db: sqlite3.Connection, message: int, now: datetime) -> bool:
    """Keep `complete_at` true to the message's deliveries; say whether the server must be told now."""
    found = {State(state) for (state,) in db.execute("SELECT state FROM delivery WHERE message = ?", (message,))}
    complete = State.SENT in found and found <= FINAL
    before, marked = db.execute("SELECT complete_at, marked_at FROM message WHERE number = ?", (message,)).fetchone()
    if complete != (before is not None):
        complete_at = rows.micros(now) if complete else None
        db.execute("UPDATE message SET complete_at = ? WHERE number = ?", (complete_at, message))
    return complete and before is None and marked is None
