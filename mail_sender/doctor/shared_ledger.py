"""A ledger in PostgreSQL: read beside the senders that share it, then these senders, and the server.

It is opened as no sender, and nothing in it is changed.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mail_sender.clock import TOLERANCE
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.errors import LedgerFault
from mail_sender.ledger import database
from mail_sender.ledger.base import Query
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.differences import differences
from mail_sender.ledger.replicas import Replica
from mail_sender.ledger.states import State

if TYPE_CHECKING:
    from mail_sender.ledger.postgres.survey import Survey

_LEDGER = Topic.LEDGER
MOST_NAMED = 12
"""Senders that are named one by one."""


async def shared_ledger(config: LedgerConfig) -> AsyncGenerator[Finding, None]:
    """Say whether the ledger can be read, who shares it, and what the server is like."""
    place = database.target_of(config).place
    try:
        try:
            counts, replicas = await _read(config)
        except database.NoSharedLedger as error:
            if error.kind != "older":
                raise
            counts, replicas = None, ()
        yield _LEDGER.ok("ledger", _contents(place, counts))
        for finding in (*of_senders(replicas), *of_server(await _survey(config), len(replicas))):
            yield finding
    except database.NoSharedLedger as error:
        seen, _, advice = str(error).partition("; ")
        yield _LEDGER.fault("ledger", seen, advice)
    except LedgerFault as fault:
        yield _LEDGER.fault("ledger", fault.detail, fault.advice)


async def _read(config: LedgerConfig) -> tuple[Mapping[State, int], Sequence[Replica]]:
    ledger = await database.open_ledger(config, reads_only=True)
    try:
        return await ledger.count(Query()), await ledger.replicas.read() if ledger.replicas else ()
    finally:
        await ledger.close()


async def _survey(config: LedgerConfig) -> "Survey":
    from mail_sender.ledger.postgres.survey import survey  # noqa: PLC0415 - psycopg, which only this ledger needs

    return await survey(database.target_of(config))


def _contents(place: str, counts: Mapping[State, int] | None) -> str:
    if counts is None:
        return f"{place} has none yet, or one of an older mail-sender: the sender makes it when it starts"
    return f"{place} can be read; deliveries: {numbers(counts)}"


def numbers(counts: Mapping[State, int]) -> str:
    """Return how many deliveries are in which states."""
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "none"


def of_senders(replicas: Sequence[Replica]) -> Iterator[Finding]:
    """Yield who shares the ledger now, and in what they differ."""
    if not replicas:
        yield _LEDGER.ok("senders", "no sender runs on it now")
        return
    named = [f"{one.host} ({one.version}{', polls' if one.polls else ''})" for one in replicas]
    rest = len(named) - MOST_NAMED
    names = ", ".join(named[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    yield _LEDGER.ok(
        "senders", f"{'1 sender runs' if len(named) == 1 else f'{len(named)} senders run'} on it: {names}"
    )
    for one in differences(replicas):
        yield _LEDGER.warning("senders", one.detail, one.advice)
    for host in (one.host for one in replicas if not one.said.carries):
        yield _LEDGER.warning(
            "senders", f"the sender on {host} cannot mail", f"`mail-sender status` on {host} says why"
        )


def of_server(found: "Survey", senders: int) -> Iterator[Finding]:
    """Yield what the server is like, for so many senders: one more is about to start where none runs."""
    from mail_sender.ledger.postgres.survey import PER_SENDER  # noqa: PLC0415 - as above

    seconds = abs(found.ahead.total_seconds())
    if seconds <= TOLERANCE.total_seconds():
        yield _LEDGER.ok("database_clock", "the database's clock agrees with this machine's")
    else:
        way = "ahead of" if found.ahead.total_seconds() > 0 else "behind"
        seen = f"the database's clock is {seconds:.0f} s {way} this machine's"
        advice = "have NTP set both: senders whose clocks differ try again too early, or too late"
        yield _LEDGER.warning("database_clock", seen, advice)
    if found.has_news:
        yield _LEDGER.ok("notifications", "senders hear of each other at once (LISTEN)")
    else:
        why = "no notifications come through (a pooler in transaction mode)"
        yield _LEDGER.ok("notifications", f"{why}: senders look every second what others did")
    if found.most_connections is not None:
        needed = max(senders, 1) * PER_SENDER
        seen = f"{'1 sender takes' if senders < 2 else f'{senders} senders take'} at most {needed} connections"
        if needed <= found.most_connections:
            yield _LEDGER.ok("connections", f"{seen} of the {found.most_connections} that the server gives")
        else:
            advice = "raise max_connections, or put PgBouncer before the server"
            yield _LEDGER.warning("connections", f"{seen}; the server gives {found.most_connections}", advice)
