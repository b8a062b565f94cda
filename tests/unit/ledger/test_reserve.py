"""The reserve: what is in flight can still be written on a full disk, and nothing new is begun there."""

import errno
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.reserve import FREE_AGAIN, OCTETS, Reserve
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.support.samples import DAY, IMPRINT, NOW, crowd, message


class Disk:
    """A disk that can be full: there is no space for the reserve then, and the ledger's file grows no further."""

    def __init__(self, ledger: SqliteLedger, patch: pytest.MonkeyPatch) -> None:
        self._ledger = ledger
        self._patch = patch
        self._give_back = Reserve.give_back

    async def fill(self) -> None:
        """Fill it; only what the reserve gives back is free."""
        await self._ledger._writer.do(_fill)

        def give_back(reserve: Reserve) -> bool:
            if given := self._give_back(reserve):
                self._connection().execute("PRAGMA max_page_count = 1000000")
            return given

        def allocate(*_: int) -> None:
            raise OSError(errno.ENOSPC, "no space left on device")

        self._patch.setattr(Reserve, "give_back", give_back)
        self._patch.setattr(os, "posix_fallocate", allocate)

    def _connection(self) -> sqlite3.Connection:
        found = self._ledger._writer._connection._connection
        assert found is not None
        return found


def _fill(db: sqlite3.Connection) -> None:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    # What is changed in its place needs no page; on a real disk the write-ahead log would grow all the same.
    db.execute(
        "CREATE TEMP TRIGGER full BEFORE UPDATE ON main.delivery BEGIN INSERT INTO attempt "
        "(delivery, at, stage, verdict, reply, seconds) VALUES (OLD.number, 0, '', '', zeroblob(9000), 0); END"
    )


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """Give an open ledger."""
    opened = await SqliteLedger.open(tmp_path / "ledger.db")
    yield opened
    await opened.close()


async def queued(ledger: SqliteLedger, *messages: Message) -> list[Delivery]:
    """Admit messages with one recipient each, and return their deliveries."""
    await ledger.admit(messages, NOW, DAY)
    return [delivery for of in messages for delivery in await ledger.deliveries(of.id)]


async def test_on_a_full_disk_outcomes_are_written_and_nothing_is_begun(ledger: SqliteLedger) -> None:
    """Four mails are at their dots when it fills; with space again, all goes on."""
    *in_flight, waiting = await queued(ledger, *crowd(5))
    claimed = [await ledger.begin(one) for one in in_flight]
    for one in claimed:
        await ledger.dot(one, IMPRINT)
    with pytest.MonkeyPatch.context() as patch:
        await Disk(ledger, patch).fill()
        for one in claimed:
            await ledger.settle(one, Outcome(State.SENT, NOW, 1, 0), NOW)
            await ledger.marked([one.message], NOW)
        for begin in (lambda: ledger.begin(waiting), lambda: ledger.admit([message()], NOW, DAY)):
            with pytest.raises(LedgerFault, match=r"the disk is full; free some space.*4 MB at least") as caught:
                await begin()
            assert caught.value.kind == "SQLITE_FULL"
        assert [found.state for found in await ledger.due(NOW, 10)] == [State.QUEUED]
    assert (await ledger.begin(waiting)).state is State.PROCESSING


async def test_a_mail_whose_disk_is_full_stops_before_its_dot(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reserve is gone by then: it is kept for the outcomes of others."""
    first, second = [await ledger.begin(one) for one in await queued(ledger, *crowd(2))]
    await Disk(ledger, monkeypatch).fill()
    await ledger.settle(first, Outcome(State.QUEUED, NOW, 0, 0), NOW)
    with pytest.raises(LedgerFault, match="the disk is full"):
        await ledger.dot(second, IMPRINT)


def test_a_reserve_is_space_without_a_name(tmp_path: Path) -> None:
    """Nobody can put a link in its place, and a killed process leaves nothing behind."""
    reserve = Reserve(tmp_path)
    assert reserve.hold()
    assert reserve._file is not None
    assert os.fstat(reserve._file.fileno()).st_blocks * 512 >= OCTETS
    assert list(tmp_path.iterdir()) == []
    assert reserve.give_back()
    assert not reserve.give_back()


def test_a_disk_that_was_full_must_have_more_than_the_reserve_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or mail would go on with each page that is freed, and stop with the next."""
    free = OCTETS

    def allocate(_: int, offset: int, length: int) -> None:
        if offset + length > free:
            raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    reserve = Reserve(tmp_path)
    assert reserve.hold()
    assert reserve.give_back()
    assert not reserve.hold()
    free = FREE_AGAIN
    assert reserve.hold()
    assert reserve.give_back()


@pytest.mark.parametrize(("number", "goes_on"), [(errno.ENOSPC, False), (errno.EDQUOT, False), (errno.EINVAL, True)])
def test_only_a_full_disk_or_quota_forbids_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, goes_on: bool
) -> None:
    """A file system that cannot set space aside is no reason to mail nothing."""

    def allocate(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert Reserve(tmp_path).hold() is goes_on
