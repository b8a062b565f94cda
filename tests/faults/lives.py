"""The lives of a case: senders in processes of their own, on the rig's relay, API, clock and ledger.

    end = await lived(rig, "kill", Point.parse("ledger.dot:after:2"))
    end = await lived(rig, kill_after=0.1)

A life ends where its deed is done, or it is stopped by SIGTERM when all that is queued is marked as sent.
Afterwards the relay's record is put right, from the child's journal: what it was told at the dot of a mail, whose outcome was
not committed, nobody knows any more. That alone excuses a copy.
"""

import asyncio
import contextlib
import itertools
import json
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.faults.killing import Life, Point
from tests.faults.nursery import Child, nursery
from tests.faults.rig import Rig
from tests.faults.rig_record import Heard

LONGEST = 45.0
CONTACT = 2.0
"""Seconds that a sender may take to turn to the relay; one that has nothing to mail does not."""
_numbers = itertools.count(1)
_AT_DEATH = {
    "dot:before": Heard.YES,
    "dot:after": Heard.NO,
    "settle:before": Heard.PERHAPS,
    "settle:after": Heard.YES,
}
"""What the client can have heard of the relay's yes, by how far the delivery had come. Before the dot's commit there
must be no yes: a mail without it is excused by nothing."""


@dataclass(frozen=True)
class End:
    """How a life ended: its exit code, whether its point was met, and how often each point was, if it was stopped.

    `wal` is how long the ledger's -wal was before the last commit.
    """

    code: int
    reached: bool
    counts: dict[str, int]
    wal: int


async def lived(
    rig: Rig,
    deed: str = "count",
    point: Point | None = None,
    *,
    kill_after: float | None = None,
    from_contact: bool = False,
    saboteur: str | None = None,
) -> End:
    """Have one sender live and die, or be stopped when all is done.

    It is killed so many seconds after its birth, or after its first contact with the relay.
    Raises `AssertionError` where it ends in a traceback, or with a code of its own.
    """
    number = next(_numbers)
    journal = rig.folder / f"journal-{number}"
    connections, mails = len(rig.relay.connections), len(rig.relay.mails)
    child = nursery().bear(
        Life(rig.place.to_json(), str(journal), deed, str(point) if point else None, saboteur).to_json()
    )
    try:
        if from_contact:
            await rig.changes.until(lambda: len(rig.relay.connections) > connections or is_marked(rig), CONTACT)
        code = await _until_the_end(rig, child, kill_after)
    finally:
        rig.texts[f"the log of life {number}"] = child.said
    await settled(rig)
    lines = list(_lines(journal.read_bytes() if journal.exists() else b""))
    forgive(rig, connections)
    _put_right(rig, mails, lines)
    if deed == "limit":
        rig.dots = None  # the journal could not be written either
    if rig.dots is not None:
        rig.dots.update((UUID(line[1]), line[2]) for line in lines if line[0] == "dot:before")
    assert b"Traceback" not in child.said, child.said.decode()[-2000:]
    assert code in {0, -signal.SIGKILL}, f"it ended with {code}: {child.said.decode()[-2000:]}"
    counts: dict[str, int] = next((json.loads(line[1]) for line in lines if line[0] == "counts"), {})
    wal = next((int(line[1]) for line in reversed(lines) if line[0] == "wal"), 0)
    return End(code, any(line[0] == "reached" for line in lines), counts, wal)


async def _until_the_end(rig: Rig, child: Child, kill_after: float | None) -> int:
    """Return the exit code; the child is stopped when all is done, or killed after so many seconds."""
    ending = asyncio.ensure_future(child.ended(LONGEST))
    ending.add_done_callback(lambda _: rig.changes.ring())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(kill_after or LONGEST):
            await rig.changes.until(lambda: ending.done() or is_marked(rig), LONGEST)
    child.end(signal.SIGTERM if is_marked(rig) else signal.SIGKILL)
    return await ending


async def settled(rig: Rig) -> None:
    """Wait until the relay has seen all that a dead client did: connections are taken in their order, ours comes last."""
    with socket.create_connection(("127.0.0.1", rig.relay.port)) as last:
        port = last.getsockname()[1]
        await rig.changes.until(lambda: any(one.port == port for one in rig.relay.connections))
    await rig.changes.until(lambda: all(one.ended for one in rig.relay.connections))


def forgive(rig: Rig, first: int) -> None:
    """Have no connection from the first one on count as fruitless: it was cut by us, not by an impatient client."""
    for connection in rig.relay.connections[first:]:
        connection.logged_in = True


def is_marked(rig: Rig) -> bool:
    """Say whether all that is queued is marked as sent."""
    return all(rig.api.sent_at(queued.id) for queued in rig.queued)


def _lines(journal: bytes) -> Iterator[Sequence[str]]:
    """Yield the journal's lines; the last one may be torn."""
    for line in journal.splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def _put_right(rig: Rig, first: int, journal: list[Sequence[str]]) -> None:
    """Amend the relay's record: what of its last yes to each delivery of this life can have been heard."""
    last = {(line[1], line[2]): line[0] for line in journal if line[0] in _AT_DEATH}
    latest = {
        (mail.message_id.strip("<>").partition("@")[0].partition(".")[0], mail.recipient): place
        for place, mail in enumerate(rig.relay.mails)
        if place >= first
    }
    for key, place in latest.items():
        heard = _AT_DEATH.get(last.get(key, ""), Heard.YES)
        if heard is not Heard.YES and rig.relay.mails[place].heard is Heard.YES:
            rig.relay.amend(place, heard)
