"""A ledger that moves from its file to PostgreSQL and back: nothing of it is lost, and nobody uses it meanwhile."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Attempt, Entry, Fenced, Ledger, Query
from mail_sender.ledger.copying import copy, in_database, in_file
from mail_sender.ledger.copying.copy import Copied
from mail_sender.ledger.copying.side import NotCopied, Target
from mail_sender.ledger.copying.tables import TABLES, Row, Table
from mail_sender.ledger.lock import Lock
from mail_sender.ledger.postgres import gate
from mail_sender.ledger.postgres.gate import Gate
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.postgres.target import Target as Database
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.state_folder import BusyLedger, NoLedger, StateFolder
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.contract.ledgers import admit, become, of_one, outcome
from tests.support.postgres import Postgres, bouncing
from tests.support.samples import DAY, IMPRINT, MINUTE, NOW, crowd, message, reset

pytestmark = pytest.mark.debian("postgresql")

Where = StateFolder | Database
LINE = Attempt(NOW, "dot", "deferred", 450, "4.2.0 später", 0.25, "4D2F", "relay.example.com:587")
PEOPLE = [f"{state}@example.com" for state in State]


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[Ledger]:
    """Open a ledger as a sender does, and close it as one that stops."""
    ledger: Ledger
    if isinstance(where, StateFolder):
        where.make()
        ledger = await SqliteLedger.open(where.ledger)
    else:
        ledger = await PostgresLedger.open(where)
    try:
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def sides(source: Where, target: Where) -> AsyncIterator[tuple[Target, Target]]:
    """Open two ledgers for a copy."""
    of_source = (
        in_file.source(source) if isinstance(source, StateFolder) else in_database.opened(source, reads_only=True)
    )
    of_target = (
        in_file.target(target) if isinstance(target, StateFolder) else in_database.opened(target, reads_only=False)
    )
    async with of_source as old, of_target as new:
        yield old, new


async def copied(source: Where, target: Where) -> Copied:
    """Copy a ledger."""
    async with sides(source, target) as (old, new):
        return await copy.copy(old, new, lambda *_: None)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Give the place of a ledger in its file."""
    return StateFolder(tmp_path / "state")


@pytest.fixture
def database(postgres: Postgres) -> Database:
    """Give the place of a ledger in PostgreSQL."""
    return postgres.target()


@pytest.fixture(params=["to the database", "to the file"])
def ways(request: pytest.FixtureRequest, folder: StateFolder, database: Database) -> tuple[Where, Where]:
    """Give two ledgers, in both directions."""
    return (folder, database) if request.param == "to the database" else (database, folder)


async def a_life(ledger: Ledger) -> list[Message]:
    """Have a delivery in each state, and all else that a ledger knows."""
    messages = [message(person, content=reset()) for person in PEOPLE]
    first, *_ = twice = [message("b@example.com", "A@example.com") for _ in range(2)]
    await admit(ledger, *messages, *twice)
    for state, of in zip(State, messages, strict=True):
        if state is not State.QUEUED:
            await become(ledger, of, state)
    tried = await ledger.begin(await of_one(ledger, messages[0]))
    await ledger.settle(tried, replace(outcome(State.QUEUED, NOW + MINUTE), ambiguous=2), NOW, LINE)
    dotted = await ledger.begin((await ledger.deliveries(first.id))[1])
    await ledger.dot(dotted, replace(IMPRINT, relay="relay.example.com:587"))
    sent = messages[list(State).index(State.SENT)]
    await ledger.marked([sent.id], NOW)
    await admit(ledger, sent, now=NOW + 16 * MINUTE)  # somebody un-sent it
    again = await of_one(ledger, messages[list(State).index(State.UNKNOWN)])
    await ledger.apply_command(again, outcome(State.QUEUED, copy=1), NOW, replace(LINE, verdict="resent"))
    await ledger.began("warm-up of relay.example.com:587", NOW - DAY)
    return [*messages, *twice]


async def all_of(ledger: Ledger) -> tuple[Sequence[Entry], object]:
    """Return what a ledger knows, but for what is processing: who starts settles that."""
    known = await ledger.find(Query(), 1_000)
    began = await ledger.began("warm-up of relay.example.com:587", NOW)
    return known, (await ledger.unmarked(NOW), began, await ledger.summary(NOW))


# Nothing is lost


async def test_all_that_a_ledger_knows_moves(ways: tuple[Where, Where]) -> None:
    """States, claims, histories, marks, imprints, what was un-sent, when a warm-up began: as it was, in the same order."""
    source, target = ways
    async with opened(source) as ledger:
        await a_life(ledger)
        known = await all_of(ledger)
    result = await copied(source, target)
    assert (result.how, result.written) == ("copied", sum(result.counts.values()))
    assert result.counts == {"message": 11, "delivery": 13, "attempt": 2, "beginning": 1}
    async with opened(target) as ledger:
        assert await all_of(ledger) == known
        assert {one.delivery.state for one in known[0]} == set(State) - {State.UNKNOWN}


async def test_there_and_back_again_is_the_same_to_the_last_digit(
    ways: tuple[Where, Where], tmp_path: Path, postgres: Postgres
) -> None:
    """Both copies have one digest; the second one is of the same kind as the first ledger was."""
    source, target = ways
    async with opened(source) as ledger:
        await a_life(ledger)
    back: Where = StateFolder(tmp_path / "back") if isinstance(source, StateFolder) else postgres.target()
    there = await copied(source, target)
    assert (await copied(target, back)).digest == there.digest
    assert await copied(target, back) == replace(there, how="same", written=0)


async def test_a_delivery_in_flight_is_settled_by_whoever_starts_next(ways: tuple[Where, Where]) -> None:
    """At once, with its dot and its mail; whoever had the claim before is fenced, and a new claim has a higher number."""
    source, target = ways
    async with opened(source) as ledger:
        ours = message()
        await admit(ledger, ours)
        begun = await ledger.begin(await of_one(ledger, ours))
        await ledger.dot(begun, IMPRINT)
    await copied(source, target)
    async with opened(target) as ledger:
        (left,) = await ledger.interrupted()
        assert (left.dot, left.imprint, left.claim) == (True, IMPRINT, begun.claim)
        await ledger.settle(left, outcome(State.QUEUED, ambiguous=1), NOW, LINE)
        again = await ledger.begin(await of_one(ledger, ours))
        assert again.claim > begun.claim
        with pytest.raises(Fenced):
            await ledger.settle(begun, outcome(State.SENT), NOW)


async def test_what_is_new_after_the_copy_is_numbered_after_what_was_copied(ways: tuple[Where, Where]) -> None:
    """In the order in which the operator sees it; also after an empty ledger was copied."""
    source, target = ways
    async with opened(source) as ledger:
        await admit(ledger, *crowd(20))  # more than the tries of a transaction that meets a number again
    await copied(source, target)
    async with opened(target) as ledger:
        await admit(ledger, new := message())
        await ledger.settle(await ledger.begin(await of_one(ledger, new)), outcome(State.QUEUED), NOW, LINE)
        newest, *_ = await ledger.find(Query(), 10)
        assert (newest.delivery.message, newest.number, newest.history) == (
            new.id,
            21,
            (replace(LINE, queue_id=None),),
        )


async def test_an_empty_ledger_moves_too(ways: tuple[Where, Where]) -> None:
    """It is a ledger like any other."""
    source, target = ways
    async with opened(source):
        pass
    assert (await copied(source, target)).written == 0
    async with opened(target) as ledger:
        await admit(ledger, message())
        assert [one.number for one in await ledger.find(Query(), 10)] == [1]


async def test_every_column_is_copied_or_made_anew(
    folder: StateFolder, database: Database, postgres: Postgres
) -> None:
    """A column that a later schema brings has to be one of these."""
    async with opened(folder), opened(database):
        pass
    anew = {"mailbox", "replica", "lease_until", "taken_from", "completed_by"}
    with sqlite3.connect(folder.ledger) as db:
        for table in TABLES:
            found = {row[1] for row in db.execute(f"PRAGMA table_info({table.name})")}
            assert found == set(table.columns)
            select = "SELECT column_name FROM information_schema.columns WHERE table_schema = %(schema)s AND table_name = %(table)s"
            named = {name for (name,) in postgres.execute(select, schema=database.schema, table=table.name)}
            assert named - anew == found
    db.close()


# It goes on where it stopped


class Killed(Exception):
    """The process is gone."""


async def stopped_after(source: Where, target: Where, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a copy, and end it after so many rows, in bundles of three."""
    monkeypatch.setattr(copy, "BUNDLE", 3)
    left = rows
    async with sides(source, target) as (old, new):
        write = new.write

        async def until(table: Table, some: Sequence[Row]) -> None:
            nonlocal left
            assert len(some) <= 3
            if left <= 0:
                raise Killed
            left -= len(some)
            await write(table, some)

        monkeypatch.setattr(new, "write", until)
        with pytest.raises(Killed):
            await copy.copy(old, new, lambda *_: None)


@pytest.mark.parametrize("rows", [0, 15, 25])
async def test_a_copy_that_stopped_goes_on(
    ways: tuple[Where, Where], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is not written again. Nobody can use what is unfinished."""
    source, target = ways
    async with opened(source) as ledger:
        await a_life(ledger)
        known = await all_of(ledger)
    await stopped_after(source, target, rows, monkeypatch)
    with pytest.raises(LedgerFault, match="run the same `mail-sender ledger copy` again") as caught:
        async with opened(target):
            pass
    assert caught.value.kind == "unfinished"
    result = await copied(source, target)
    assert result.how == ("resumed" if rows else "copied")
    assert sum(result.counts.values()) - result.written in range(rows, rows + 3)
    async with opened(target) as ledger:
        assert await all_of(ledger) == known


async def test_a_copy_begins_anew_where_a_sender_has_used_the_old_ledger_since(
    ways: tuple[Where, Where], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was copied may have changed by then."""
    source, target = ways
    async with opened(source) as ledger:
        messages = await a_life(ledger)
    await stopped_after(source, target, 24, monkeypatch)
    async with opened(source) as ledger:
        await become(ledger, messages[-1], State.SENT)
        known = await all_of(ledger)
    result = await copied(source, target)
    assert (result.how, result.written) == ("copied", sum(result.counts.values()))
    async with opened(target) as ledger:
        assert await all_of(ledger) == known


async def test_a_copy_of_another_ledger_does_not_go_on(
    ways: tuple[Where, Where], tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ledgers that are copied to one place would be neither."""
    source, target = ways
    async with opened(source) as ledger:
        await a_life(ledger)
    await stopped_after(source, target, 6, monkeypatch)
    async with sides(source, target) as (old, new):
        old.place = "another place"
        with pytest.raises(NotCopied, match=r"is an unfinished copy of .*: name that ledger to go on"):
            await copy.copy(old, new, lambda *_: None)


async def test_a_row_that_arrives_otherwise_is_found(
    ways: tuple[Where, Where], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check reads what is there, and not what was written; the copy stays unfinished."""
    source, target = ways
    async with opened(source) as ledger:
        await a_life(ledger)
    async with sides(source, target) as (old, new):
        write = new.write

        async def spoiled(table: Table, some: Sequence[Row]) -> None:
            await write(table, [(*row[:-1], "elsewhere:25") for row in some] if table.name == "attempt" else some)

        monkeypatch.setattr(new, "write", spoiled)
        with pytest.raises(NotCopied, match=r"is not the same as .* \(table attempt\)"):
            await copy.copy(old, new, lambda *_: None)
    with pytest.raises(LedgerFault, match="not finished"):
        async with opened(target):
            pass
    assert (await copied(source, target)).how == "copied"


# What is refused


async def test_a_ledger_that_holds_something_else_is_left_alone(ways: tuple[Where, Where]) -> None:
    """Somebody's mail is in it."""
    source, target = ways
    for where in ways:
        async with opened(where) as ledger:
            await a_life(ledger)
    async with opened(target) as ledger:
        known = await all_of(ledger)
    with pytest.raises(
        NotCopied, match=r"holds a ledger already \(11 messages\), and it is not the same: nothing was copied"
    ):
        await copied(source, target)
    async with opened(target) as ledger:
        assert await all_of(ledger) == known


@pytest.mark.parametrize("which", ["source", "target"])
async def test_nothing_is_copied_while_a_sender_runs(ways: tuple[Where, Where], which: str) -> None:
    """On either ledger; it is named."""
    source, target = ways
    async with opened(source) as ledger:
        await admit(ledger, message())
    used = source if which == "source" else target
    if isinstance(used, StateFolder):
        used.make()
        lock = Lock(used)
        assert lock.take()
        with pytest.raises(BusyLedger, match=r"^process \d+ on .* has the ledger in .*: stop it"):
            await copied(source, target)
        lock.release()
    else:
        async with opened(used):
            with pytest.raises(BusyLedger, match=r"^a sender on .* uses the ledger in PostgreSQL .*: stop it"):
                await copied(source, target)
    assert (await copied(source, target)).written == 2


async def test_no_sender_starts_while_a_ledger_is_copied(ways: tuple[Where, Where]) -> None:
    """Nor does another copy; the lock of the folder and the gate of the database see to it until the end."""
    source, target = ways
    async with opened(source) as ledger:
        await admit(ledger, message())
    async with sides(*ways):
        for where in ways:
            if isinstance(where, StateFolder):
                assert not Lock(where).take()
            else:
                with pytest.raises(LedgerFault, match="the ledger is just being copied; wait") as caught:
                    async with opened(where):
                        pass
                assert caught.value.kind == "copied"
    assert (await copied(source, target)).how == "copied"


async def test_one_copy_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one says so, and does not wait for long."""
    monkeypatch.setattr(gate, "_CLOSE", gate._CLOSE.replace(f"'{gate._SECONDS}s'", "'10ms'"))
    first = await Gate.close(database)
    with pytest.raises(LedgerFault, match="just being copied"):
        await Gate.close(database)
    await first.open()
    await (await Gate.close(database)).open()


@pytest.mark.debian("pgbouncer")
async def test_the_gate_holds_behind_a_bouncer_that_pools_by_transaction(
    folder: StateFolder, postgres: Postgres
) -> None:
    """Its lock lives in a transaction, and not in a session."""
    async with opened(folder) as ledger:
        await admit(ledger, message())
    with bouncing(postgres) as host:
        database = postgres.target(host=host)
        async with sides(folder, database):
            with pytest.raises(LedgerFault, match="just being copied"):
                async with opened(postgres.target(database.schema)):
                    pass
        assert (await copied(folder, database)).written == 2


async def test_a_sender_that_began_in_the_last_moment_is_found_in_the_end(
    ways: tuple[Where, Where], postgres: Postgres
) -> None:
    """Whoever looked at the gate just before it was closed, is there a moment later."""
    source, target = ways
    async with opened(source) as ledger:
        await admit(ledger, message())
    schema = next(where.schema for where in ways if isinstance(where, Database))
    async with sides(source, target) as (old, new):

        def arrives(done: int, total: int) -> None:
            if done == total:
                values = "(gen_random_uuid(), 'late', '1.0', now(), now())"
                into = f'"{schema}".replica (id, name, version, since, seen_at)'
                postgres.execute(f"INSERT INTO {into} VALUES {values}")  # noqa: S608 - names of ours

        with pytest.raises(BusyLedger, match="a sender on late uses"):
            await copy.copy(old, new, arrives)
    with pytest.raises(LedgerFault, match="not finished"):
        async with opened(target):
            pass


async def test_a_ledger_of_another_version_is_not_copied(
    folder: StateFolder, database: Database, tmp_path: Path, postgres: Postgres
) -> None:
    """It says what to do; nothing is changed."""
    async with opened(folder) as ledger:
        await admit(ledger, message())
    async with opened(database) as ledger:
        await admit(ledger, message())
    table = [(5, "older", "start this version on it once"), (99, "newer", "run that version")]
    for version, kind, advice in table:
        with sqlite3.connect(folder.ledger) as db:
            db.execute(f"PRAGMA user_version = {version}")
        db.close()
        for source, target in ((folder, postgres.target()), (database, folder)):
            with pytest.raises(LedgerFault, match=advice) as caught:
                await copied(source, target)
            assert caught.value.kind == kind
    name = f'"{database.schema}".version'
    for number, kind in ((0, "older"), (99, "newer")):
        postgres.execute(f"UPDATE {name} SET number = {number} WHERE number = (SELECT max(number) FROM {name})")  # noqa: S608 - as above
        with pytest.raises(LedgerFault) as caught:
            await copied(database, StateFolder(tmp_path / "other"))
        assert caught.value.kind == kind


@pytest.mark.parametrize("bundle", [1, 500])
async def test_two_mails_in_flight_to_one_mailbox_are_not_copied_to_a_database(
    folder: StateFolder, database: Database, bundle: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database would have room for one of them; a sender that starts on the file settles both."""
    monkeypatch.setattr(copy, "BUNDLE", bundle)
    async with opened(folder) as ledger:
        for spelling in ("ellie@example.com", "Ellie@example.com"):
            await admit(ledger, of := message(spelling))
            await become(ledger, of, State.PROCESSING)
    with pytest.raises(LedgerFault, match="two mails to one mailbox were in flight") as caught:
        await copied(folder, database)
    assert caught.value.kind == "two_in_flight"


async def test_there_has_to_be_a_ledger(folder: StateFolder, database: Database) -> None:
    """A folder that was mistyped is not an empty ledger; neither is an empty database."""
    with pytest.raises(NoLedger, match="no ledger is in "):
        await copied(folder, database)
    with pytest.raises(LedgerFault, match="there is no ledger yet"):
        await copied(database, folder)


async def test_a_full_disk_stops_a_copy_that_goes_on_later(
    folder: StateFolder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written stays."""
    monkeypatch.setattr(copy, "BUNDLE", 50)
    async with opened(database) as ledger:
        await admit(ledger, *(message(f"{number}@example.com") for number in range(300)))
    async with sides(database, folder) as (old, new):
        assert isinstance(new, in_file.FileLedger)
        pages = new._do(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        new._do(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 8}"))
        with pytest.raises(LedgerFault, match="the disk is full"):
            await copy.copy(old, new, lambda *_: None)
    result = await copied(database, folder)
    assert result.how == "resumed"
    assert result.written < sum(result.counts.values())
