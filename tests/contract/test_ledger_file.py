"""What a ledger in a file promises beyond the others: it outlives its process, and is never replaced in silence."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger import admission
from mail_sender.ledger.base import Attempt, Delivery, Entry, Outcome, Query
from mail_sender.ledger.sqlite import ADMITTED_TOGETHER, SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.support.samples import DAY, IMPRINT, INTENT, MINUTE, NOW, message, reset

WEEK = 7 * DAY
LINE = Attempt(NOW, "dot", "accepted", 250, "2.0.0 Ok: queued as 4D2F", 0.1, "4D2F", "relay:25")
PEOPLE = [f"person-{number}@example.com" for number in range(8)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a ledger."""
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """Give an open ledger."""
    opened = await SqliteLedger.open(path)
    yield opened
    await opened.close()


def as_kill_would_leave_it(path: Path, place: Path) -> Path:
    """Copy the files of a ledger that is open, as they stand."""
    place.mkdir()
    for file in path.parent.glob("ledger.db*"):
        shutil.copyfile(file, place / file.name)
    return place / path.name


async def ask(ledger: SqliteLedger, pragma: str) -> object:
    """Return a setting of the ledger's connection."""

    def job(db: sqlite3.Connection) -> object:
        return db.execute(f"PRAGMA {pragma}").fetchone()[0]

    return await ledger._writer.do(job)


def octets(*paths: Path) -> bytes:
    """Return what stands in files."""
    return b"".join(path.read_bytes() for path in paths)


def files(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the files of a folder."""
    return sorted(folder.glob(pattern))


def take_away(path: Path, put: Path | None = None) -> Path:
    """Move a file aside, and put a copy of another in its place."""
    aside = path.rename(path.with_suffix(".old"))
    if put is not None:
        shutil.copyfile(aside if put == path else put, path)
    return aside


async def everything(ledger: SqliteLedger) -> tuple[list[Entry], list[object]]:
    """Return all that a ledger knows."""
    return list(await ledger.find(Query(), 1_000)), list(await ledger.unmarked(NOW))


async def a_day_of_work(ledger: SqliteLedger) -> list[Message]:
    """Have a message in each stage: queued, claimed, at its dot, deferred, sent, marked, un-sent, held."""
    messages = [message(person) for person in PEOPLE]
    await ledger.admit(messages, NOW, WEEK)
    found = [(await ledger.deliveries(of.id))[0] for of in messages]
    _, claimed, dot, deferred, sent, marked, unsent, held = found
    await ledger.begin(claimed)
    await ledger.dot(await ledger.begin(dot), IMPRINT)
    line = Attempt(NOW, "rcpt", "deferred", 450, "4.2.0 later", 0.1)
    await ledger.settle(await ledger.begin(deferred), Outcome(State.QUEUED, NOW + MINUTE, 1, 0), NOW, line)
    for one in (sent, marked, unsent):
        begun = await ledger.begin(one)
        await ledger.dot(begun, IMPRINT)
        await ledger.settle(
            begun, Outcome(State.SENT, NOW, 1, 0), NOW, Attempt(NOW, "dot", "accepted", 250, "ok", 0.2, "Q1")
        )
    for one in (marked, unsent):
        await ledger.marked([one.message], NOW)
    await ledger.admit([messages[6]], NOW + 16 * MINUTE, WEEK)
    await ledger.settle(held, Outcome(State.HELD, NOW, 0, 0), NOW)
    return messages


# It outlives its process


async def test_everything_that_was_answered_is_there_after_a_kill(
    ledger: SqliteLedger, path: Path, tmp_path: Path
) -> None:
    """Nobody closed it: the files as they stand after any answer hold all that was answered."""
    messages = await a_day_of_work(ledger)
    copy = await SqliteLedger.open(as_kill_would_leave_it(path, tmp_path / "killed"))
    assert await everything(copy) == await everything(ledger)
    claimed, dot = await copy.interrupted()
    assert (claimed.message, claimed.dot) == (messages[1].id, False)
    assert (dot.message, dot.dot, dot.imprint) == (messages[2].id, True, IMPRINT)
    await copy.close()


async def test_each_answer_means_that_it_is_written(ledger: SqliteLedger, path: Path, tmp_path: Path) -> None:
    """After each step, a copy of the files shows it: no answer comes before its commit."""
    of = message()
    steps = 0

    async def state() -> Delivery:
        nonlocal steps
        steps += 1
        copy = await SqliteLedger.open(as_kill_would_leave_it(path, tmp_path / f"killed-{steps}"))
        (found,) = await copy.deliveries(of.id)
        await copy.close()
        return found

    await ledger.admit([of], NOW, WEEK)
    begun = await ledger.begin(await state())
    assert await ledger.interrupted() == [begun] == [await state()]
    await ledger.dot(begun, IMPRINT)
    assert await state() == replace(begun, dot=True, imprint=IMPRINT)
    await ledger.settle(begun, Outcome(State.SENT, NOW, 1, 0), NOW)
    assert await state() == replace(begun, state=State.SENT, attempts=1, imprint=IMPRINT)


async def test_a_commit_reaches_the_disk_and_not_only_the_system(ledger: SqliteLedger, path: Path) -> None:
    """The journal and the syncing that survive a power cut."""
    names = ("journal_mode", "synchronous", "foreign_keys")
    pragma = {name: await ask(ledger, name) for name in names}
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_many_writers_pay_for_few_commits(ledger: SqliteLedger, path: Path) -> None:
    """What is handed over together is committed together."""
    messages = [message() for _ in range(200)]
    await ledger.admit(messages, NOW, WEEK)
    found = [(await ledger.deliveries(of.id))[0] for of in messages]
    commits: list[str] = []
    await ledger._writer.do(lambda db: db.set_trace_callback(commits.append))
    await asyncio.gather(*(ledger.begin(one) for one in found))
    assert await ledger.count(Query()) == {State.PROCESSING: 200}
    assert sum(line == "COMMIT" for line in commits) < 20


# What never stands in it


async def test_no_byte_of_the_files_is_a_link_or_a_name(ledger: SqliteLedger, path: Path) -> None:
    """Neither while it is open nor after: what the message holds is not the ledger's business."""
    of = message(content=reset("Confidential Name"))
    await ledger.admit([of], NOW, WEEK)
    begun = await ledger.begin((await ledger.deliveries(of.id))[0])
    await ledger.dot(begun, IMPRINT)
    await ledger.settle(begun, Outcome(State.SENT, NOW, 1, 0), NOW)
    for _ in range(2):
        held = octets(*files(path.parent, "ledger.db*"))
        assert str(of.id).encode() in held
        for secret in (INTENT, "Confidential"):
            assert secret.encode() not in held
        await ledger.close()


# What is no ledger of this version


def sql(path: Path, statement: str) -> bytes:
    """Execute a statement on a database; return its file."""
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    return path.read_bytes()


SPOILT: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "a later version": ("newer", lambda path: sql(path, "PRAGMA user_version = 99")),
    "another program's": (
        "foreign",
        lambda path: sql(path.with_suffix(".other"), "CREATE TABLE cookies (name TEXT)"),
    ),
    "no database": ("SQLITE_NOTADB", lambda _: b"this is no ledger\n" * 1_000),
    "damaged pages": ("SQLITE_", lambda path: path.read_bytes()[:4096] + b"\xa5" * (path.stat().st_size - 4096)),
    "cut in a page": ("SQLITE_", lambda path: path.read_bytes()[: 4096 * 3 + 100]),
}


def spoilt(path: Path, content: bytes) -> bytes:
    """Put something else into a file, and return it."""
    path.write_bytes(content)
    return content


@pytest.mark.parametrize("what", SPOILT)
async def test_what_is_no_ledger_of_this_version_is_refused_and_left_alone(what: str, path: Path) -> None:
    """With a word on what to do; not one byte of it is changed, since it may be somebody's only copy."""
    ledger = await SqliteLedger.open(path)
    await a_day_of_work(ledger)
    await ledger.close()
    kind, spoil = SPOILT[what]
    before = spoilt(path, spoil(path))
    for _ in range(2):
        with pytest.raises(LedgerFault) as caught:
            await SqliteLedger.open(path)
        assert caught.value.kind.startswith(kind)
        assert str(path) in caught.value.detail
        assert caught.value.advice
    assert octets(path) == before


async def test_a_folder_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    """Nothing is made beside it."""
    with pytest.raises(LedgerFault, match="cannot be opened"):
        await SqliteLedger.open(tmp_path / "nowhere" / "ledger.db")
    assert files(tmp_path) == []


async def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    """As a volume that was touched beforehand."""
    shutil.copyfile("/dev/null", path)
    ledger = await SqliteLedger.open(path)
    assert await ledger.admit([message()], NOW, WEEK) == []
    await ledger.close()


@pytest.mark.parametrize("name", ["with space.db", "per%20cent.db", "question?.db", "hash#.db", "ünïcode.db"])
async def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    """None of its characters means anything."""
    ledger = await SqliteLedger.open(tmp_path / name)
    await ledger.admit([message()], NOW, WEEK)
    await ledger.close()
    assert files(tmp_path) == [tmp_path / name]


# The file goes away while it is used


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_was_taken_away_under_it_is_trouble(ledger: SqliteLedger, path: Path, how: str) -> None:
    """Writing on would be writing into nothing: every call says so, and none is answered as if it were done."""
    of = message()
    await ledger.admit([of], NOW, WEEK)
    (found,) = await ledger.deliveries(of.id)
    begun = await ledger.begin(found)
    aside = take_away(path, path if how == "replaced" else None)
    for call in (
        ledger.dot(begun, IMPRINT),
        ledger.begin(found),
        ledger.due(NOW, 10),
        ledger.admit([message()], NOW, WEEK),
    ):
        with pytest.raises(LedgerFault, match="removed or replaced"):
            await call
    shutil.move(aside, path)
    assert (await ledger.begin(found)).state is State.PROCESSING


@pytest.mark.parametrize("which", ["-wal", "-shm"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_what_was_written_is_kept_where_a_file_beside_it_is_taken_away(
    ledger: SqliteLedger, path: Path, tmp_path: Path, which: str, *, replaced: bool
) -> None:
    """It goes into the ledger's own file before the next answer, and the files are made anew: a kill loses nothing."""
    of, other = message(), message()
    await ledger.admit([of], NOW, WEEK)
    beside = path.with_name(path.name + which)
    beside.unlink()
    if replaced:
        beside.touch()
    await ledger.admit([other], NOW, WEEK)
    copy = await SqliteLedger.open(as_kill_would_leave_it(path, tmp_path / "killed"))
    assert [len(await copy.deliveries(one.id)) for one in (of, other)] == [1, 1]
    await copy.close()


async def test_nothing_is_answered_that_was_written_into_a_file_that_is_gone(
    ledger: SqliteLedger, path: Path
) -> None:
    """It goes away between the look at it and the commit."""
    with pytest.raises(LedgerFault, match="removed or replaced"):
        await ledger._writer.do(lambda _: path.unlink())


async def test_a_ledger_whose_folder_is_renamed_is_trouble_until_it_is_back(path: Path, tmp_path: Path) -> None:
    """Whoever works in the new folder has another ledger."""
    folder = tmp_path / "state"
    folder.mkdir()
    ledger = await SqliteLedger.open(folder / path.name)
    folder.rename(tmp_path / "aside")
    with pytest.raises(LedgerFault, match="removed or replaced"):
        await ledger.admit([message()], NOW, WEEK)
    (tmp_path / "aside").rename(folder)
    assert await ledger.admit([message()], NOW, WEEK) == []
    await ledger.close()


# Reading alone


async def test_who_only_reads_changes_nothing(ledger: SqliteLedger, path: Path) -> None:
    """All can be seen, and no call can write."""
    await a_day_of_work(ledger)
    known = await everything(ledger)
    await ledger.close()
    before = octets(path)
    reader = await SqliteLedger.open(path, reads_only=True)
    assert await everything(reader) == known
    (found,) = await reader.deliveries(known[0][-1].delivery.message)
    with pytest.raises(LedgerFault):
        await reader.dot(await reader.begin(found), IMPRINT)
    await reader.close()
    assert octets(path) == before
    assert files(path.parent) == [path]


async def test_who_only_reads_brings_an_older_ledger_up_to_date_in_memory(ledger: SqliteLedger, path: Path) -> None:
    """The older version can still use the file."""
    await a_day_of_work(ledger)
    await ledger.close()
    for table in ("attempt", "delivery"):
        sql(path, f"ALTER TABLE {table} DROP COLUMN relay")
    before = sql(path, "PRAGMA user_version = 1")
    reader = await SqliteLedger.open(path, reads_only=True)
    assert len(await reader.find(Query(), 100)) == len(PEOPLE)
    await reader.close()
    assert octets(path) == before


# A small disk


async def test_the_write_ahead_log_stays_small(ledger: SqliteLedger, path: Path) -> None:
    """However much is written: on a small disk it would fill what the ledger needs."""
    for _ in range(12):
        await a_day_of_work(ledger)
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size <= 1024 * 1024
    await ledger.admit([message() for _ in range(4_000)], NOW, WEEK)
    assert log.stat().st_size <= 1024 * 1024
    many = [message() for _ in range(4_000)]
    await ledger._writer.do(lambda db: admission.admit(db, many, NOW, WEEK))
    assert log.stat().st_size > 1024 * 1024
    await a_day_of_work(ledger)
    assert log.stat().st_size <= 1024 * 1024


async def test_another_program_that_holds_it_is_trouble_for_a_while(
    ledger: SqliteLedger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written meanwhile; when it lets go, everything goes on."""
    await ledger._writer.do(lambda db: db.execute("PRAGMA busy_timeout = 50"))
    of = message()
    await ledger.admit([of], NOW, WEEK)
    (found,) = await ledger.deliveries(of.id)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = await ledger.begin(found)
    with pytest.raises(LedgerFault, match="another program has locked it"):
        await ledger.dot(begun, IMPRINT)
    with pytest.raises(LedgerFault, match="another program has locked it"):
        await ledger.begin(found)  # from the first fault on, a claim is known to be written
    other.execute("ROLLBACK")
    other.close()
    assert await ledger.interrupted() == []
    await ledger.dot(await ledger.begin(found), IMPRINT)


async def test_a_claim_is_soon_on_the_disk_although_nothing_else_is_written(
    ledger: SqliteLedger, path: Path, tmp_path: Path
) -> None:
    """A killed sender's row says that it was being sent, and not only that it was queued."""
    of = message()
    await ledger.admit([of], NOW, WEEK)
    (found,) = await ledger.deliveries(of.id)
    begun = await ledger.begin(found)
    kills = 0
    async with asyncio.timeout(10):
        while True:
            kills += 1
            copy = await SqliteLedger.open(as_kill_would_leave_it(path, tmp_path / f"killed-{kills}"))
            left = await copy.interrupted()
            await copy.close()
            if left:
                break
    assert left == [begun]


async def test_a_claim_waits_for_no_commit_of_its_own(ledger: SqliteLedger) -> None:
    """It is written with the dot that proves it: an attempt waits for two commits, the dot's and the outcome's."""
    messages = [message() for _ in range(20)]
    await ledger.admit(messages, NOW, WEEK)
    found = [(await ledger.deliveries(of.id))[0] for of in messages]
    commits: list[str] = []
    await ledger._writer.do(lambda db: db.set_trace_callback(commits.append))
    for one in found:
        begun = await ledger.begin(one)
        await ledger.dot(begun, IMPRINT)
        await ledger.settle(begun, Outcome(State.SENT, NOW, 1, 0), NOW)
    assert commits.count("COMMIT") == 1 + 2 * len(messages)


async def test_mails_in_flight_share_the_commits_of_their_dots_and_outcomes(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of the dots takes the others along, and the outcomes of the mails before them."""
    for waits in ("company.DOT_WAITS", "company.CLOSE", "company.OUTCOME_WAITS", "writer.SOON"):
        monkeypatch.setattr(f"mail_sender.ledger.{waits}", 3_600.0)
    messages = [message() for _ in range(12)]
    await ledger.admit(messages, NOW, WEEK)
    found = [(await ledger.deliveries(of.id))[0] for of in messages]
    commits: list[str] = []
    waiting: list[asyncio.Future[object]] = []

    async def ask(call: Coroutine[object, object, object]) -> None:
        waiting.append(asyncio.ensure_future(call))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if ledger._writer.pending:  # it does not wait for others
            await waiting[-1]

    await ledger._writer.do(lambda db: db.set_trace_callback(commits.append))
    for start in range(0, 12, 4):
        begun = [await ledger.begin(one) for one in found[start : start + 4]]
        for one in begun:
            await ask(ledger.dot(one, IMPRINT))
        for one in begun:
            await ask(ledger.settle(one, Outcome(State.SENT, NOW, 1, 0), NOW))
    await ask(ledger.marked([messages[0].id], NOW))
    assert await ledger.count(Query(states=frozenset({State.SENT}))) == {State.SENT: 12}
    await asyncio.gather(*waiting)
    # The setting, the first four dots, their outcomes, after which no dot has been seen to follow, the other dots, each
    # time with the outcomes before them, and the question.
    assert commits.count("COMMIT") == 1 + 1 + 4 + 2 + 1


async def test_what_one_mail_costs_does_not_grow_with_what_was_sent_before() -> None:
    """Counted in instructions of SQLite: every statement of its way finds its rows by an index that leads to them."""
    ledger = await SqliteLedger.open(None)
    steps = [0]

    def count() -> None:
        steps[0] += 1

    async def mail(of: Message) -> None:
        await ledger.admit([of], NOW, WEEK)
        (found,) = await ledger.due(NOW, 10)
        claimed = await ledger.begin(found)
        await ledger.dot(claimed, IMPRINT)
        assert await ledger.settle(claimed, Outcome(State.SENT, NOW, 1, 0), NOW, LINE)
        await ledger.marked([of.id], NOW)

    costs = []
    await ledger._writer.do(lambda db: db.set_progress_handler(count, 1))
    for sent in (1, 300):
        for _ in range(sent):
            await mail(message())
        before = steps[0]
        await mail(message())
        costs.append(steps[0] - before)
    assert costs[1] < 1.1 * costs[0]
    await ledger.close()


async def test_a_full_disk_is_trouble_and_leaves_everything_as_it_was(ledger: SqliteLedger) -> None:
    """The call has failed as a whole; with room again, it goes on."""
    await ledger.admit([message() for _ in range(10)], NOW, WEEK)
    pages = await ledger._writer.do(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    many = [message() for _ in range(2_000)]
    taken = []

    def grow(db: sqlite3.Connection, by: int) -> None:
        db.execute(f"PRAGMA max_page_count = {pages + by}")

    for more in (0, 100):
        await ledger._writer.do(partial(grow, by=more))
        with pytest.raises(LedgerFault, match="the disk is full") as caught:
            await ledger.admit(many, NOW, WEEK)
        assert caught.value.kind == "SQLITE_FULL"
        taken.append((await ledger.count(Query()))[State.QUEUED] - 10)
    assert taken[0] == 0
    assert taken[1] in range(ADMITTED_TOGETHER, len(many), ADMITTED_TOGETHER)  # whole pieces, as many as fit
    await ledger._writer.do(lambda db: db.execute("PRAGMA max_page_count = 1000000"))
    await ledger.admit(many, NOW, WEEK)
    assert await ledger.count(Query()) == {State.QUEUED: 2_010}


# Reading beside


async def test_a_summary_waits_for_no_writing_and_holds_none_up(ledger: SqliteLedger) -> None:
    """It is of what was committed last."""
    await ledger.admit([message()], NOW, WEEK)
    goes_on = threading.Event()
    writing = asyncio.ensure_future(
        ledger._writer.do(lambda db: (db.execute("DELETE FROM delivery"), goes_on.wait()))
    )
    try:
        found = await asyncio.wait_for(ledger.summary(NOW), 10)
    finally:
        goes_on.set()
        await writing
    assert found.states[State.QUEUED] == 1
    assert (await ledger.summary(NOW)).states[State.QUEUED] == 0


async def test_a_summary_is_of_the_files_that_are_there(ledger: SqliteLedger, path: Path) -> None:
    """What reads keeps no file in use that was taken away; it tells nothing where the ledger is closed or damaged."""
    await ledger.admit([message()], NOW, WEEK)
    await ledger.summary(NOW)
    path.with_name(path.name + "-shm").unlink()
    await ledger.admit([message()], NOW, WEEK)
    assert path.with_name(path.name + "-shm").exists()
    assert (await ledger.summary(NOW)).states[State.QUEUED] == 2
    await ledger._writer.do(lambda db: db.execute("UPDATE delivery SET next_attempt = 1, send_after = 9e18"))
    with pytest.raises(LedgerFault, match="damaged"):
        await ledger.summary(NOW)
    await ledger.close()
    with pytest.raises(LedgerFault, match="not open"):
        await ledger.summary(NOW)
