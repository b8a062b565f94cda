"""Which deliveries a command means: found in the ledger page by page, and a message by the start of its id."""

from collections.abc import AsyncGenerator
from uuid import UUID

from mail_sender.ledger.base import Entry, Ledger, Query

PAGE = 500
"""Deliveries that are read or changed together."""
_MOST_CANDIDATES = 5


class CannotCarryOut(Exception):
    """A command cannot be carried out; the message is a sentence for the operator."""


async def pages(ledger: Ledger, query: Query) -> AsyncGenerator[list[Entry], None]:
    """Yield the deliveries that fit, newest first, in pages."""
    before: int | None = None
    while entries := list(await ledger.find(query, PAGE, before)):
        yield entries
        before = entries[-1].number


async def entries(ledger: Ledger, query: Query) -> AsyncGenerator[Entry, None]:
    """Yield the deliveries that fit, newest first."""
    async for page in pages(ledger, query):
        for entry in page:
            yield entry


async def message(ledger: Ledger, start: str) -> UUID:
    """Return the one message whose id begins so. Raises `CannotCarryOut` if there is none, or more than one."""
    found: dict[UUID, None] = {}
    async for entry in entries(ledger, Query(message=start)):
        found[entry.delivery.message] = None
        if len(found) > _MOST_CANDIDATES:
            break
    if not found:
        raise CannotCarryOut(f"no message in the ledger has an id that begins with {start}")
    if len(found) > 1:
        raise CannotCarryOut(f"more than one message begins with {start}: {', '.join(map(str, found))}")
    return next(iter(found))
