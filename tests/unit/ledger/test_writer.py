"""The writer: jobs go to one thread, are committed together, and nobody is answered before."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger import writer as module
from mail_sender.ledger.writer import Job, Unreadable, Writer

Rows = list[int]


def prepare(db: sqlite3.Connection) -> None:
    """Make a table."""
    db.execute("CREATE TABLE IF NOT EXISTS line (number INTEGER PRIMARY KEY)")


def write(number: int) -> Job[int]:
    """Return a job that writes a line."""
    return lambda db: db.execute("INSERT INTO line VALUES (?)", (number,)).rowcount


def read(db: sqlite3.Connection) -> Rows:
    """Return all lines."""
    return [number for (number,) in db.execute("SELECT number FROM line ORDER BY number")]


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    """Give a writer on a file."""
    started = Writer(tmp_path / "x.db")
    await started.start(prepare)
    yield started
    await started.close()


class Mistake(Exception):
    """What a job may raise."""


def mistaken(db: sqlite3.Connection) -> None:
    """Write, and then raise."""
    db.execute("INSERT INTO line VALUES (99)")
    raise Mistake


async def test_jobs_are_done_in_their_order_on_one_thread(writer: Writer) -> None:
    """Which is not the loop's."""
    numbers: list[int] = []
    threads: set[int] = set()

    def job(number: int) -> Job[None]:
        def do(_: sqlite3.Connection) -> None:
            numbers.append(number)
            threads.add(threading.get_ident())

        return do

    await asyncio.gather(*(writer.do(job(number)) for number in range(1_000)))
    assert numbers == list(range(1_000))
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    assert writer.pending == 0


async def test_a_job_that_raises_is_undone_alone(writer: Writer) -> None:
    """Those beside it in the same transaction are written."""
    jobs: list[Job[object]] = [write(1), mistaken, write(2), mistaken, write(3)]
    results = await asyncio.gather(*(writer.do(job) for job in jobs), return_exceptions=True)
    assert [type(result) for result in results] == [int, Mistake, int, Mistake, int]
    assert await writer.do(read) == [1, 2, 3]


async def test_what_is_handed_over_in_one_turn_of_the_loop_is_one_transaction(writer: Writer) -> None:
    """Without a savepoint for each."""
    transactions: list[str] = []
    await writer.do(lambda db: db.set_trace_callback(transactions.append))
    await asyncio.gather(*(writer.do(write(number)) for number in range(100)))
    bounds = [line for line in transactions if line in {"BEGIN IMMEDIATE", "COMMIT"}]
    assert bounds == ["COMMIT", "BEGIN IMMEDIATE", "COMMIT"]
    assert not any("SAVEPOINT" in line for line in transactions)


async def test_a_job_for_which_nobody_waits_is_done_before_what_comes_after_it(writer: Writer) -> None:
    """In the same transaction; whatever becomes of it, nobody hears of it."""
    writer.later(write(1))
    writer.later(mistaken)
    assert writer.pending == 0
    assert await writer.do(read) == [1]
    writer.later(write(2))
    await writer.close()
    again = Writer(writer._path)
    await again.start(prepare)
    assert await again.do(read) == [1, 2]
    await again.close()


async def test_a_job_that_can_wait_shares_the_next_transaction(writer: Writer) -> None:
    """In its place; and what is handed over next does not wait for it."""
    statements: list[str] = []
    await writer.do(lambda db: db.set_trace_callback(statements.append))
    waiting = asyncio.ensure_future(writer.do(write(1), within=3_600.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert writer.pending == 0  # it is not the thread that it waits for
    assert await writer.do(read) == [1]
    assert await waiting == 1
    assert statements.count("BEGIN IMMEDIATE") == 1


async def test_a_job_that_can_wait_is_done_in_its_time(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone if need be, and however long what came before it would wait."""
    monkeypatch.setattr(module, "SOON", 3_600.0)
    writer.later(write(1))
    async with asyncio.timeout(10):
        assert await writer.do(write(2), within=0.001) == 1
    assert await writer.do(read) == [1, 2]


async def test_a_job_that_can_wait_is_done_before_the_close(writer: Writer) -> None:
    """Whoever awaits it gets its result."""
    waiting = asyncio.ensure_future(writer.do(write(1), within=3_600.0))
    await asyncio.sleep(0)
    await writer.close()
    assert await waiting == 1


async def test_a_writer_is_in_doubt_from_a_fault_until_it_has_written_again(writer: Writer) -> None:
    """A reading that went well proves nothing."""
    assert not writer.in_doubt
    await writer.do(write(1))
    with pytest.raises(LedgerFault):
        await writer.do(write(1))
    assert await writer.do(read) == [1]
    assert writer.in_doubt
    await writer.do(write(2))
    assert not writer.in_doubt


async def test_where_sqlite_fails_everybody_in_the_transaction_is_told(writer: Writer) -> None:
    """None of it is written, and the next transaction is."""
    begun, hold = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        begun.set()
        hold.wait(10)

    waiting = asyncio.ensure_future(writer.do(wait))
    assert await asyncio.to_thread(begun.wait, 10)
    together = [asyncio.ensure_future(writer.do(job)) for job in (write(1), write(1), write(2))]
    await asyncio.sleep(0)
    hold.set()
    await waiting
    results = await asyncio.gather(*together, return_exceptions=True)
    assert [type(result) for result in results] == [LedgerFault] * 3
    assert await writer.do(read) == []
    await writer.do(write(4))
    assert await writer.do(read) == [4]


async def test_a_row_that_cannot_have_been_written_is_damage(writer: Writer) -> None:
    """Said as such, with what to do."""

    def unreadable(_: sqlite3.Connection) -> None:
        raise Unreadable("a row is damaged")

    with pytest.raises(LedgerFault, match="a row is damaged") as caught:
        await writer.do(unreadable)
    assert caught.value.kind == "SQLITE_CORRUPT"
    assert await writer.do(read) == []


async def test_what_is_handed_over_before_the_close_is_written(tmp_path: Path) -> None:
    """Closing waits for it; closing twice does no harm."""
    path = tmp_path / "x.db"
    writer = Writer(path)
    await writer.start(prepare)
    writing = [asyncio.ensure_future(writer.do(write(number))) for number in range(600)]
    await asyncio.sleep(0)
    await writer.close()
    await writer.close()
    assert await asyncio.gather(*writing) == [1] * 600
    again = Writer(path)
    await again.start(prepare)
    assert await again.do(read) == list(range(600))
    await again.close()


async def test_pending_says_how_many_answers_are_owed(writer: Writer) -> None:
    """Also those that nobody waits for any more."""
    hold = threading.Event()
    waiting = asyncio.ensure_future(writer.do(lambda _: hold.wait(10)))
    given_up = asyncio.ensure_future(writer.do(write(1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the next turn of the loop hands over
    assert writer.pending == 2
    given_up.cancel()
    hold.set()
    await waiting
    assert await writer.do(read) == [1]
    assert writer.pending == 0


async def test_what_fails_at_the_start_is_raised_and_tried_again_at_the_next_job(tmp_path: Path) -> None:
    """A folder that is not there yet; the thread does not die of it."""
    writer = Writer(tmp_path / "later" / "x.db")
    with pytest.raises(LedgerFault, match="cannot be opened"):
        await writer.start(prepare)
    (tmp_path / "later").mkdir()
    await writer.do(write(1))
    assert await writer.do(read) == [1]
    await writer.close()


def test_a_loop_that_is_gone_does_not_stop_the_thread() -> None:
    """A program that ends in the middle of a write ends."""
    writer = Writer(None)
    hold = threading.Event()

    async def leave() -> None:
        await writer.start(prepare)
        waiting = asyncio.ensure_future(writer.do(lambda _: hold.wait(10)))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    hold.set()

    async def come_back() -> Rows:
        found = await writer.do(read)
        await writer.close()
        return found

    assert asyncio.run(come_back()) == []
