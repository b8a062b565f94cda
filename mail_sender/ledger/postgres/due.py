"""Which deliveries are due, and which of them are fresh, for one replica of several.

1. Each replica has a share of the mailboxes, by a hash of them: as large as the others', and known without a word
   between them. So they do not all try the same, and what waits for one mailbox goes by one replica, in its order.
2. After its own share a replica reads what has been due for `STALE` in those of others: they may be slow, or cut off
   from the relay. A replica that is not seen any more, or says that it cannot mail now, has no share.
3. What waits for a mailbox that another replica has in flight is left out, and so is what belongs to a list that a
   replica takes up in parts, until all of it is there.

Shares spare work; while replicas come and go, two of them may read the same. That no mail goes twice is for the
claims to see to.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from mail_sender.backoff import LONGEST_WAIT
from mail_sender.ledger import rows
from mail_sender.ledger.base import ASKED_LATELY, MOST_BEFORE, Stuck
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.reading import COLUMNS, FROM
from mail_sender.ledger.postgres.statement import Statement
from mail_sender.names.address import mailbox

STALE = timedelta(seconds=30)
"""What has been due for so long is read by replicas to whose share it does not belong, too."""

_FREE = (
    "AND NOT EXISTS (SELECT FROM delivery p "
    "WHERE p.mailbox = d.mailbox AND p.state = 'processing' AND p.replica <> %(replica)s)"
)


def part(text: str) -> str:
    """Return the expression for whose part something is, by a hash of a text: a number from 0 to `replicas`."""
    return f"(hashtext({text}) & 2147483647) %% %(replicas)s"


# Of an equation PostgreSQL would think that it holds for one row of 200, and give up the index that is in order.
_IS_OURS = f"abs({part('d.mailbox')} - %(place)s) < 1"
# A list of whose parts all are not there yet: what it has goes in its order only together.
_IS_THERE = (
    "AND d.next_attempt < coalesce((SELECT min(r.taking_up) FROM replica r "
    f"WHERE r.taking_up IS NOT NULL AND {claims.is_seen()}), {2**63 - 1})"
)
_LIVES = "d.deadline + 0 > %(now)s"  # it is true of nearly all: the index of deadlines is of no help
_PARTS = ("late", "own", "stale", "ahead")
_UNION = " UNION ALL ".join(f"SELECT * FROM {part}" for part in _PARTS)
_CHOSEN = f"chosen AS (SELECT * FROM ({_UNION}) u ORDER BY part, first, second, number LIMIT %(limit)s)"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a replica, and its share: which one it is (from 0) of how many; -1: it has none."""

    replica: UUID
    place: int = 0
    replicas: int = 1

    @classmethod
    def among(cls, replica: UUID, carrying: Collection[UUID]) -> Self:
        """Return a replica among all that can mail now, of which there is one at least."""
        each = sorted(carrying)
        return cls(replica, each.index(replica) if replica in carrying else -1, len(each))

    @property
    def values(self) -> dict[str, Any]:
        """What statements about a share bind."""
        return {"replica": self.replica, "place": self.place, "replicas": self.replicas}

    def statement(self, parts: Iterable[str], values: dict[str, Any]) -> Statement:
        """Return the deliveries that the last of these parts has chosen, in its order."""
        join = "JOIN chosen ON chosen.number = d.number"
        place = "chosen.part, chosen.first, chosen.second, d.number"
        text = f"WITH {', '.join(parts)} SELECT {COLUMNS} {FROM} {join} ORDER BY {place}"
        return Statement(text, {**values, **self.values})


def due(
    reader: Reader,
    now: datetime,
    limit: int,
    without: Collection[str],
    deadline_by: datetime | None,
    stuck: Stuck | None,
) -> Statement:
    """Read what is past its deadline, and what is due."""
    # What would wait longer was written by a clock that ran ahead.
    values: dict[str, Any] = {
        "now": rows.micros(now),
        "stale": rows.micros(now - STALE),
        "ahead": rows.micros(now + LONGEST_WAIT),
        "limit": limit,
        "without": [mailbox(one) for one in without],
    }
    which = "AND NOT d.mailbox = ANY(%(without)s::text[])"
    if deadline_by is not None:
        which += " AND d.deadline <= %(deadline_by)s"
        values["deadline_by"] = rows.micros(deadline_by)
    if stuck is not None:
        own_relay = "CASE WHEN d.relay = ANY(%(relays)s::text[]) THEN d.relay ELSE %(first)s END"
        which += f" AND (d.ambiguous = 0 OR NOT {own_relay} = ANY(%(take_none)s::text[]))"
        values |= {"relays": list(stuck.relays), "first": stuck.relays[0], "take_none": list(stuck.take_none)}
    late = f"d.state IN ('queued', 'held') AND d.deadline <= %(now)s AND ({_IS_OURS} OR d.deadline <= %(stale)s)"
    queued = f"d.state = 'queued' AND {_LIVES} {which} {_FREE} {_IS_THERE}"
    parts = [
        _part("late", "d.deadline", late),
        _part("own", "d.next_attempt", f"{queued} AND d.next_attempt <= %(now)s AND {_IS_OURS}"),
        _part("stale", "d.next_attempt", f"{queued} AND d.next_attempt <= %(stale)s AND NOT {_IS_OURS}"),
        _part("ahead", "d.next_attempt", f"{queued} AND d.next_attempt > %(ahead)s AND {_IS_OURS}"),
    ]
    return reader.statement([*parts, _CHOSEN], values)


def _part(name: str, first: str, condition: str) -> str:
    second = "d.number" if name == "late" else "d.send_after"
    return (
        f"{name} AS (SELECT d.number, {_PARTS.index(name)} AS part, {first} AS first, {second} AS second "
        f"FROM delivery d WHERE {condition} ORDER BY {first}, {second}, d.number LIMIT %(limit)s)"
    )


def fresh(reader: Reader, now: datetime, since: datetime, limit: int) -> Statement:
    """Read what was admitted since then and not tried yet, each behind what is due for its mailbox before it.

    What is behind several of them stands there once, at the first of its places.
    """
    place = "d.next_attempt, d.send_after, d.number"
    new = (
        f"new AS (SELECT row_number() OVER (ORDER BY {place}) AS part, d.* FROM delivery d WHERE d.state = 'queued' "
        "AND d.claim = 0 AND d.next_attempt > %(since)s AND d.next_attempt <= %(now)s AND d.send_after > %(lately)s "
        f"AND {_LIVES} AND {_IS_OURS} {_FREE} {_IS_THERE} ORDER BY {place} LIMIT %(limit)s)"
    )
    before = (
        "SELECT d.number, d.next_attempt, d.send_after FROM delivery d "
        f"WHERE d.state = 'queued' AND d.mailbox = new.mailbox AND {_LIVES} "
        f"AND ({place}) <= (new.next_attempt, new.send_after, new.number) ORDER BY {place} LIMIT %(before)s"
    )
    chosen = (
        "chosen AS (SELECT b.number, min(part) AS part, b.next_attempt AS first, b.send_after AS second "
        f"FROM new CROSS JOIN LATERAL ({before}) b GROUP BY b.number, b.next_attempt, b.send_after "
        "ORDER BY part, first, second, number LIMIT %(limit)s)"
    )
    values = {
        "now": rows.micros(now),
        "since": rows.micros(since),
        "lately": rows.micros(now - ASKED_LATELY),
        "limit": limit,
        "before": MOST_BEFORE + 1,
    }
    return reader.statement([new, chosen], values)
