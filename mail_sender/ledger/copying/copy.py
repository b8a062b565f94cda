"""The copy: what the new ledger holds decides where it begins; then bundles, the check, and the end."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from mail_sender.ledger.copying.side import NotCopied, Side, Target
from mail_sender.ledger.copying.tables import MESSAGE, TABLES, Digest, Key, Row, Table

BUNDLE = 500
"""Rows that are read and written together, and in memory at a time."""

Show = Callable[[int, int], None]
"""Shows how many rows are over, of how many."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What both ledgers hold now: the rows of each table, and a digest over all of them.

    `written` is how many rows this copy wrote; the others were there. `how` says whether it began, went on with one
    that had stopped, or found both the same from the start.
    """

    how: Literal["copied", "resumed", "same"]
    counts: Mapping[str, int]
    digest: str
    written: int


async def copy(source: Side, target: Target, show: Show) -> Copied:
    """Copy one ledger into the other. Raises `NotCopied`, `BusyLedger`, `LedgerFault`."""
    await source.see_alone()
    await target.see_alone()
    begun = await target.begun_from()
    if begun is None and await _holds_something(target):
        return await _same(source, target)
    goes_on = await _goes_on(source, target, begun)
    written = await _write(source, target, show)
    await target.reopen()
    of_source, of_target = await _digests(source), await _digests(target)
    for side in (source, target):
        await side.see_alone()
    if different := [name for name, digest in of_source.items() if digest.value != of_target[name].value]:
        raise NotCopied(
            f"{target.place} is not the same as {source.place} (table {', '.join(different)}): one of them was "
            "changed meanwhile; end all senders, and start the same copy again"
        )
    await target.finish()
    return _copied("resumed" if goes_on else "copied", of_source, written)


async def _goes_on(source: Side, target: Target, begun: str | None) -> bool:
    """Make the new ledger ready; say whether it holds a part of the copy already."""
    if begun is None:
        await target.begin(source.place)
        return False
    if begun != source.place:
        raise NotCopied(
            f"{target.place} is an unfinished copy of {begun}: name that ledger to go on with it, or remove this one "
            "to begin anew"
        )
    if await _is_as_far(source, target):
        return await _holds_something(target)
    await target.empty()  # a sender has used the old ledger since
    return False


async def _holds_something(target: Target) -> bool:
    return any([await target.count(table) for table in TABLES])


async def _same(source: Side, target: Target) -> Copied:
    """Return what a copy that has ended comes to. Raises `NotCopied` if it is something else."""
    of_source = {table.name: await source.count(table) for table in TABLES}
    of_target = {table.name: await target.count(table) for table in TABLES}
    if of_source == of_target:
        digests = await _digests(source)
        found = await _digests(target)
        if all(digest.value == found[name].value for name, digest in digests.items()):
            return _copied("same", digests, 0)
    raise NotCopied(
        f"{target.place} holds a ledger already ({of_target[MESSAGE.name]:,} messages), and it is not the same: "
        "nothing was copied; name an empty one, or remove that one first if nobody needs it"
    )


async def _is_as_far(source: Side, target: Target) -> bool:
    """Say whether the new ledger holds the first rows of the old one's tables, and nothing else."""
    for table in TABLES:
        ours, theirs = Digest(), Digest()
        async for some in _bundles(target, table):
            ours.add(some)
        async for some in _bundles(source, table):
            theirs.add(some[: ours.count - theirs.count])
            if theirs.count == ours.count:
                break
        if ours.value != theirs.value:
            return False
    return True


async def _write(source: Side, target: Target, show: Show) -> int:
    """Write what is not there yet; return how many rows that were."""
    total = sum([await source.count(table) for table in TABLES])
    done = sum([await target.count(table) for table in TABLES])
    written = 0
    show(done, total)
    for table in TABLES:
        async for some in _bundles(source, table, await target.last(table)):
            await target.write(table, some)
            written += len(some)
            show(done + written, total)
    return written


async def _digests(side: Side) -> dict[str, Digest]:
    found = {table.name: Digest() for table in TABLES}
    for table in TABLES:
        async for some in _bundles(side, table):
            found[table.name].add(some)
    return found


async def _bundles(side: Side, table: Table, after: Key | None = None) -> AsyncIterator[Sequence[Row]]:
    while some := await side.rows(table, after, BUNDLE):
        yield some
        after = _key(some)


def _key(some: Sequence[Row]) -> Key:
    key = some[-1][0]
    assert isinstance(key, int | str)  # noqa: S101 - for the type checker: a key is never empty
    return key


def _copied(how: Literal["copied", "resumed", "same"], digests: Mapping[str, Digest], written: int) -> Copied:
    whole = sha256("".join(f"{name} {digest.value}\n" for name, digest in digests.items()).encode()).hexdigest()
    return Copied(how, {name: digest.count for name, digest in digests.items()}, whole, written)
