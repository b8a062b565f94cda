"""F9: the disk is full, held, gone, damaged or torn: no mail without its dot's commit, and no ledger made anew in silence.

While the disk does not work nothing new begins; when it does again, all goes on by itself. At start, what cannot be used
is exit 78 and a sentence, and is left as it was.
"""

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Attempt, Imprint, Outcome
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message, TestMessage
from tests.faults.disk_faults import DISK_FAULTS, can_mount, fill, read_only, small_disk
from tests.faults.family import Case, Family, Play
from tests.faults.installed import flags
from tests.faults.killing import Point
from tests.faults.ledger_faults import POINTS, require_dots, require_peace, while_it_fails
from tests.faults.lives import is_marked, lived
from tests.faults.rig import NAME, NotDrained, Rig
from tests.support.sender import MAIL_SENDER

_WRITES = tuple(at for at in POINTS if at.method != "ledger.due")
"""Points at which something is written; after a reading of what is due that can take a while."""
PAGES = 50
TORN = range(1, 21)
SMALL_DISK = 4 * 2**20
_OLD = 250
"""Messages in a ledger that has been in use for a while."""


def cases(_seed: int) -> Sequence[Case]:
    """Return all that this machine can play; what it cannot is said."""
    named: list[tuple[str, Play]] = [
        *((f"{name} at {at}", partial(disk_fault, name=name, at=at)) for name in DISK_FAULTS for at in POINTS),
        *((f"no file can be written at {at}", partial(limited, at=at)) for at in _WRITES),
        *((f"a byte is flipped in page {number:02}", partial(flipped, number=number)) for number in range(PAGES)),
        *((f"the last commit is torn: {nth:02}", partial(torn, nth=nth)) for nth in TORN),
        *((f"the -wal {name}, all being sent", partial(forgetful, spoil=spoil)) for name, spoil in _LIES.items()),
        *((f"at start: {name}", partial(at_start, prepare=prepare)) for name, prepare in _AT_START.items()),
        ("at start: another sender has the lock", locked),
    ]
    if can_mount():
        named += [(f"a small disk is full at {at}", partial(full_disk, at=at)) for at in POINTS]
        named += [(f"at start: {name}", partial(at_start, prepare=prepare)) for name, prepare in _MOUNTED.items()]
    else:
        sys.stderr.write(f"F9: not run, since mounting is not allowed here: {len(POINTS) + len(_MOUNTED)} cases\n")
    return [Case(name, play, exactly_once=not name.startswith(("the last", "no file"))) for name, play in named]


# In use


async def disk_fault(rig: Rig, name: str, at: Point) -> None:
    """Have a fault begin before a call, and end a while later."""
    fault = DISK_FAULTS[name](rig)
    dots = await while_it_fails(rig, at, fault.begin)
    await fault.end()
    await rig.drained()
    require_peace(rig)
    require_dots(rig, dots)


async def full_disk(rig: Rig, at: Point) -> None:
    """Have the ledger on a small disk that is filled to the last octet before a call."""
    fillers: list[Path] = []

    async def begin() -> None:
        fillers.append(fill(rig.folder))

    with small_disk(rig.folder, SMALL_DISK):
        dots = await while_it_fails(rig, at, begin)
        fillers[0].unlink()
        await rig.drained()
        await rig.stop()
    require_peace(rig)
    require_dots(rig, dots)


async def limited(rig: Rig, at: Point) -> None:
    """Have a process that cannot write to any file for a while (RLIMIT_FSIZE): SQLITE_IOERR_WRITE."""
    for number in range(8):
        rig.mail(reset=number % 2 == 0)
    end = await lived(rig, "limit", at)
    assert end.reached, f"{at} was not met"
    assert end.code == 0, "it did not go on by itself"
    assert is_marked(rig)
    log = next(text for name, text in rig.texts.items() if name.startswith("the log of life"))
    assert b"ledger_down" in log, "nothing is said of the disk"


# Damage


async def flipped(rig: Rig, number: int) -> None:
    """Have one byte of an older ledger be another one: it is used, or refused in words, or found out later."""
    file = rig.place.ledger
    assert file is not None
    good = await _old_ledger(rig)
    page = 4096 * (number * (len(good) // 4096) // PAGES)
    bad = bytearray(good)
    bad[page + rig.random.randrange(4096)] ^= 1 << rig.random.randrange(8)
    file.write_bytes(bad)
    rig.mail()
    refusal = await _refusal(rig)
    if refusal is not None:
        assert "ledger.db" in refusal.detail, refusal
        assert file.read_bytes() == bad, "what was refused was written to"
        _restore(rig, good)
        return
    goes_on = await rig.changes.until(lambda: is_marked(rig) or "ledger_down" in rig.log, 20.0)
    assert goes_on, "it stands still, and does not say why"
    require_peace(rig)
    try:
        await rig.drained(5.0)
    except (LedgerFault, NotDrained):
        await rig.crash()
        _restore(rig, good)
        assert len(rig.relay.mails) <= 1
        rig.queued.clear()  # what was written down of it is lost with the damaged ledger


async def _refusal(rig: Rig) -> LedgerFault | None:
    """Start the sender; return why it does not start, if it does not."""
    try:
        await rig.start()
    except LedgerFault as fault:
        return fault
    return None


def _restore(rig: Rig, good: bytes) -> None:
    for file in rig.ledger_files():
        file.unlink()
    (rig.folder / "ledger.db").write_bytes(good)


_built: dict[int, bytes] = {}


async def _old_ledger(rig: Rig) -> bytes:
    """Return the file of a ledger that has been in use: messages sent and marked, that no server lists any more."""
    if _OLD not in _built:
        file = rig.folder / "old.db"
        ledger = await SqliteLedger.open(file)
        now = rig.clock.now()
        messages = [
            Message(uuid4(), now, now + timedelta(days=30), (f"old-{number}@example.com",), TestMessage(NAME))
            for number in range(_OLD)
        ]
        await ledger.admit(messages, now, timedelta(days=30))
        await asyncio.gather(*(_send(ledger, message) for message in messages))
        await ledger.close()
        _built[_OLD] = file.read_bytes()
        assert len(_built[_OLD]) >= PAGES * 4096, "too few pages"
    return _built[_OLD]


async def _send(ledger: SqliteLedger, message: Message) -> None:
    now = message.send_after
    (delivery,) = await ledger.deliveries(message.id)
    for attempts in (1, 2, 3):
        claimed = await ledger.begin(delivery)
        await ledger.dot(claimed, Imprint(f"<{message.id}@example.com>", now, "0" * 64))
        state = State.SENT if attempts == 3 else State.QUEUED
        line = Attempt(now, "dot", "accepted", 250, "2.0.0 ok: queued as an id of some length", 0.1, "CHAOS")
        await ledger.settle(claimed, Outcome(state, now, attempts, 0), now, line)
        (delivery,) = await ledger.deliveries(message.id)
    await ledger.marked([message.id], now)


async def torn(rig: Rig, nth: int) -> None:
    """Have the machine die in a commit that nobody has heard of, so that the end of the -wal is missing."""
    rig.mail()
    rig.mail("ellie@example.com", "bob@example.com")
    rig.mail(reset=True)
    end = await lived(rig, "kill", Point("disk.commit", "after", nth))
    assert end.reached, "there are not so many commits"
    wal = rig.folder / "ledger.db-wal"
    whole = wal.stat().st_size
    if end.wal < whole:
        with wal.open("r+b") as file:
            file.truncate(rig.random.randrange(end.wal, whole))
    await rig.start()
    await rig.drained()
    require_peace(rig)


_LIES: Mapping[str, Callable[[Path], object]] = MappingProxyType(
    {
        "is empty": lambda wal: wal.write_bytes(b""),
        "is half there": lambda wal: wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2]),
        "is gone": lambda wal: wal.unlink(),
        "is noise": lambda wal: wal.write_bytes(bytes(octet ^ 0x55 for octet in wal.read_bytes())),
    }
)


async def forgetful(rig: Rig, spoil: Callable[[Path], object]) -> None:
    """Have a disk lose what it had confirmed: what the server knows of is not mailed again all the same."""
    rig.mail()
    rig.mail("ellie@example.com", "bob@example.com")
    await rig.start()
    await rig.drained()
    await rig.crash()
    spoil(rig.folder / "ledger.db-wal")
    mails = len(rig.relay.mails)
    await rig.start()
    later = rig.mail()
    assert await rig.changes.until(lambda: rig.api.sent_at(later.id) is not None), "it does not go on"
    await rig.linger()
    assert len(rig.relay.mails) == mails + 1, "what was sent and marked was mailed again"
    require_peace(rig)
    rig.queued = [later]  # of the others the ledger knows no more


# At start

_Preparation = Callable[[Path], AbstractContextManager[object]]


def _foreign(folder: Path) -> AbstractContextManager[object]:
    with sqlite3.connect(folder / "ledger.db") as other:
        other.execute("CREATE TABLE bookmarks (address TEXT)")
    other.close()
    return nullcontext()


def _newer(folder: Path) -> AbstractContextManager[object]:
    with sqlite3.connect(folder / "ledger.db") as other:
        other.executescript("PRAGMA application_id = 1835100524; CREATE TABLE x (y); PRAGMA user_version = 99;")
    other.close()
    return nullcontext()


def _written(octets: bytes) -> _Preparation:
    def prepare(folder: Path) -> AbstractContextManager[object]:
        (folder / "ledger.db").write_bytes(octets)
        return nullcontext()

    return prepare


def _folder_in_its_place(folder: Path) -> AbstractContextManager[object]:
    (folder / "ledger.db").mkdir()
    return nullcontext()


def _no_folder(folder: Path) -> AbstractContextManager[object]:
    folder.rmdir()
    folder.write_bytes(b"a file where the folder should be")
    return nullcontext()


def _no_parent(folder: Path) -> AbstractContextManager[object]:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("nowhere") / "at all")
    return nullcontext()


def _read_only_file(folder: Path) -> AbstractContextManager[object]:
    (folder / "ledger.db").touch()
    return read_only(folder / "ledger.db")


_AT_START: Mapping[str, _Preparation] = MappingProxyType(
    {
        "the file is garbage": _written(b"this is no ledger" * 1_000),
        "the file is a little garbage": _written(b"notes, not mail\n" * 20),
        "the file is half a header": _written(b"SQLite format 3\0" + b"\xff" * 84),
        "the file is of another program": _foreign,
        "the file is from the future": _newer,
        "the file is a folder": _folder_in_its_place,
        "the folder is a file": _no_folder,
        "the folder leads nowhere": _no_parent,
    }
)
_MOUNTED: Mapping[str, _Preparation] = MappingProxyType(
    {"the file is read-only": _read_only_file, "the folder is read-only": read_only}
)


async def at_start(rig: Rig, prepare: _Preparation) -> None:
    """Have the state folder be unusable: exit 78, a sentence, nothing changed, nothing mailed."""
    rig.mail()
    folder = rig.folder / "state"
    folder.mkdir(mode=0o700)
    with prepare(folder):
        before = _seen(folder)
        process = await asyncio.create_subprocess_exec(
            *(MAIL_SENDER, *flags(rig, folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
        after = _seen(folder)
    text = said.decode()
    assert process.returncode == 78, f"exit {process.returncode}: {text[-1500:]}"
    assert "Traceback" not in text, text[-1500:]
    assert len(text.splitlines()) <= 3, f"not a sentence: {text}"
    assert text.startswith("mail-sender: ") or "mail-sender: " in text, text
    assert before == after, f"changed: {sorted(set(before) ^ set(after))}"
    assert not rig.relay.mails
    rig.texts["what it says"] = said


async def locked(rig: Rig) -> None:
    """Have two senders on one ledger: the second stands by and says so, and takes over when the first one dies."""
    folder = rig.folder / "state"
    folder.mkdir(mode=0o700)
    words = flags(rig, folder)
    first, second = [
        await asyncio.create_subprocess_exec(MAIL_SENDER, *words, stderr=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    assert first.stderr is not None
    assert second.stderr is not None
    async with asyncio.timeout(30):
        one, other = first, second
        said = [asyncio.ensure_future(_read_until(each, b"started", b"standing_by")) for each in (first, second)]
        texts = await asyncio.gather(*said)
        if b"standing_by" in texts[0]:
            one, other = second, first
        assert b"standing_by" in texts[0] + texts[1], texts
        one.kill()
        await one.wait()
        queued = rig.mail()
        taken = await _read_until(other, b"taking_over")
        assert b"taking_over" in taken
        assert await rig.changes.until(lambda: rig.api.sent_at(queued.id) is not None), "it does not take over"
        other.terminate()
        await asyncio.gather(first.communicate(), second.communicate())
    assert other.returncode == 0
    _adopt(rig, folder)


async def _read_until(process: asyncio.subprocess.Process, *words: bytes) -> bytes:
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if any(word in line for word in words):
            break
    return said


def _adopt(rig: Rig, folder: Path) -> None:
    """Have the rig's own sender, which comes next, go on with the command's ledger."""
    for file in folder.glob("ledger.db*"):
        shutil.copy2(file, rig.folder / file.name)


def _seen(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder, but for the lock, which belongs to whoever looks."""
    if not folder.is_dir():
        return {"": folder.read_bytes() if folder.is_file() else b""}
    files = [file for file in folder.iterdir() if file.name != "ledger.lock"]
    return {file.name: file.read_bytes() if file.is_file() else b"(a folder)" for file in files}


_ELSEWHERE = "it is about the ledger's file; F20 does the like to a database"
FAMILY = Family("F9", "the disk", cases, slice_size=18, together=8, ledger="sqlite", elsewhere=_ELSEWHERE)
